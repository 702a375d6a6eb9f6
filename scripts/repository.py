"""The claims about the Maven repository of scripts/build-aar, for scripts/verify-android."""
import hashlib
import io
import json
import pathlib
import re
import zipfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = "0.1.0"
ABIS = ["arm64-v8a", "armeabi-v7a", "x86_64"]
CHECKSUMS = ["sha512", "sha256", "sha1", "md5"]
ANDROID = "{http://schemas.android.com/apk/res/android}"
POM = "{http://maven.apache.org/POM/4.0.0}"
# Java 17's class files; whatever R8 reads that minAndroidGradlePluginVersion has.
CLASS_VERSION = 61
STAMP = (1980, 2, 1, 0, 0, 0)
METADATA = "META-INF/com/android/build/gradle/aar-metadata.properties"
CODE = [METADATA, "AndroidManifest.xml", "R.txt", "classes.jar"]

# Of each artifact: its folder in android/, what it needs, its permissions, the packages of its
# classes, and the bytes that its AAR may have.
ARTIFACTS = {
    "pinfold-android": (
        "aar",
        ["net.java.dev.jna:jna:aar", "org.jetbrains.kotlin:kotlin-stdlib:jar",
         "org.jetbrains.kotlinx:kotlinx-coroutines-core:jar"],
        ["android.permission.ACCESS_NETWORK_STATE", "android.permission.INTERNET"],
        ["dev/pinfold", "dev/pinfold/android", "dev/pinfold/internal"],
        4_000_000,
    ),
    "pinfold-work": (
        "work", ["androidx.work:work-runtime:aar", "dev.pinfold:pinfold-android:aar"], [],
        ["dev/pinfold/work"], 15_000,
    ),
    "pinfold-debug": (
        "debug", ["dev.pinfold:pinfold-android:aar"], [], ["dev/pinfold/debug"], 15_000,
    ),
}


class Artifact:
    """One version's files, by name; those of a zip by their names in it."""

    def __init__(self, name, repository):
        self.name = name
        self.module, self.needs, self.permissions, self.packages, self.budget = ARTIFACTS[name]
        folder = repository / "dev/pinfold" / name
        self.files = {file.relative_to(folder).as_posix(): file.read_bytes()
                      for file in sorted(folder.rglob("*")) if file.is_file()}

    def path(self, suffix):
        return f"{VERSION}/{self.name}-{VERSION}{suffix}"

    def zip(self, suffix):
        return contents(self.files[self.path(suffix)])

    @property
    def aar(self):
        return self.zip(".aar")

    @property
    def classes(self):
        return contents(self.aar["classes.jar"])

    @property
    def manifest(self):
        return ElementTree.fromstring(self.aar["AndroidManifest.xml"])

    def put(self, name, data):
        """Another file in the AAR, or none."""
        entries = self.aar
        if data is None:
            del entries[name]
        else:
            entries[name] = data
        self.files[self.path(".aar")] = packed(entries)

    def put_class(self, name, data):
        self.put("classes.jar", packed({**self.classes, name: data}))

    def edit(self, name, old, new):
        self.put(name, self.aar[name].replace(old.encode(), new.encode()))

    def edit_file(self, suffix, old, new):
        path = self.path(suffix)
        self.files[path] = self.files[path].replace(old.encode(), new.encode())


def contents(data):
    with zipfile.ZipFile(io.BytesIO(data)) as entries:
        return {name: entries.read(name) for name in entries.namelist()}


def packed(entries):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as out:
        for name, content in entries.items():
            out.writestr(zipfile.ZipInfo(name, STAMP), content)
    return data.getvalue()


CLAIMS = []
BREAKS = []


def claim(function):
    CLAIMS.append(function)
    return function


def broken(message):
    def register(spoil):
        BREAKS.append((CLAIMS[-1], message, spoil))
    return register


def differences(what, expected, found):
    for name in sorted(set(expected) - set(found)):
        yield f"{what}: {name} is missing"
    for name in sorted(set(found) - set(expected)):
        yield f"{what}: {name} does not belong there"


@claim
def files(artifact):
    names = ["maven-metadata.xml"]
    names += map(artifact.path, [".aar", "-sources.jar", "-javadoc.jar", ".module", ".pom"])
    every = [name + suffix for name in names for suffix in ["", *(f".{s}" for s in CHECKSUMS)]]
    yield from differences("repository", every, artifact.files)


@broken("-sources.jar is missing")
def _(artifact):
    del artifact.files[artifact.path("-sources.jar")]


@broken("notes.txt does not belong there")
def _(artifact):
    artifact.files["notes.txt"] = b""


@claim
def checksums(artifact):
    for name, data in artifact.files.items():
        file, _, kind = name.rpartition(".")
        if kind in CHECKSUMS:
            if hashlib.new(kind, artifact.files[file]).hexdigest() != data.decode():
                yield f"{name} is not that of the file"


@broken(".pom.sha256 is not that of the file")
def _(artifact):
    artifact.edit_file(".pom", "</project>", "</project> ")


@broken("maven-metadata.xml.md5 is not that of the file")
def _(artifact):
    artifact.files["maven-metadata.xml.md5"] = b"0" * 32


@claim
def maven(artifact):
    """The POM says what is needed, and that it is an AAR; the list of versions has this one."""
    data = artifact.files[artifact.path(".pom")]
    pom = ElementTree.fromstring(data)
    coordinates = [pom.findtext(POM + item) for item in ("groupId", "artifactId", "version",
                                                         "packaging")]
    if coordinates != ["dev.pinfold", artifact.name, VERSION, "aar"]:
        yield f"POM: it is that of {coordinates}"
    if b"do_not_remove: published-with-gradle-metadata" not in data:
        yield "POM: Gradle is not told of its own metadata"
    yield from differences("POM", artifact.needs, [need.rpartition(" ")[0] for need in needs(pom)])
    for need in needs(pom):
        if not re.fullmatch(r"\S+ \d[\w.]+", need):
            yield f"POM: the version of {need}"
    metadata = ElementTree.fromstring(artifact.files["maven-metadata.xml"])
    if metadata.findtext("versioning/release") != VERSION:
        yield "maven-metadata.xml: another release"


def needs(pom):
    for item in pom.find(POM + "dependencies"):
        group, name, version, kind, scope = (item.findtext(POM + tag) for tag in (
            "groupId", "artifactId", "version", "type", "scope"))
        if scope == "compile":
            yield f"{group}:{name}:{kind} {version}"


@broken("it is that of")
def _(artifact):
    artifact.edit_file(".pom", "<packaging>aar", "<packaging>jar")


@broken("is not told")
def _(artifact):
    artifact.edit_file(".pom", "do_not_remove", "remove")


@broken("is missing")
def _(artifact):
    artifact.edit_file(".pom", "<type>aar", "<type>jar")


@broken("is missing")
def _(artifact):
    artifact.edit_file(".pom", "<scope>compile", "<scope>test")


@broken("the version of")
def _(artifact):
    artifact.files[artifact.path(".pom")] = re.sub(
        rb"(?s)(<dependency>.*?<version>)[^<]*", rb"\1${version}",
        artifact.files[artifact.path(".pom")])


@broken("another release")
def _(artifact):
    artifact.files["maven-metadata.xml"] = artifact.files["maven-metadata.xml"].replace(
        b"<release>", b"<release>9")


@claim
def gradle(artifact):
    """Its metadata says what Maven's does, and names the files as they are."""
    metadata = json.loads(artifact.files[artifact.path(".module")])
    component = metadata["component"]
    if (metadata["formatVersion"], component["group"], component["module"], component["version"]) \
            != ("1.1", "dev.pinfold", artifact.name, VERSION):
        yield f"module: it is that of {component}"
    variants = []
    pom = ElementTree.fromstring(artifact.files[artifact.path(".pom")])
    for variant in metadata["variants"]:
        attributes = variant["attributes"]
        library = attributes["org.gradle.category"] == "library"
        name = attributes["org.gradle.usage" if library else "org.gradle.docstype"]
        variants.append(name)
        if library:
            found = [f"{item['group']}:{item['module']}:{kind(item)} {item['version']['requires']}"
                     for item in variant["dependencies"]]
            expected = [need if ":jna:" in need else re.sub(":[aj]ar ", ": ", need)
                        for need in needs(pom)]
            yield from differences(f"module, {name}", expected, found)
            if attributes.get("org.gradle.libraryelements") != "aar":
                yield f"module, {name}: no AAR"
        for file in variant["files"]:
            data = artifact.files[f"{VERSION}/{file['url']}"]
            hashes = {kind: hashlib.new(kind, data).hexdigest() for kind in CHECKSUMS}
            if file != {"name": file["url"], "url": file["url"], "size": len(data), **hashes}:
                yield f"module, {name}: {file['url']} is another file"
    yield from differences("module", ["java-api", "java-runtime", "javadoc", "sources"], variants)


def kind(dependency):
    return dependency.get("thirdPartyCompatibility", {}).get("artifactSelector", {}).get("type", "")


@broken("it is that of")
def _(artifact):
    artifact.edit_file(".module", '"formatVersion": "1.1"', '"formatVersion": "1.0"')


@broken("does not belong there")
def _(artifact):
    artifact.edit_file(".module", '"requires": "', '"requires": "9')


@broken("no AAR")
def _(artifact):
    artifact.edit_file(".module", 'elements": "aar"', 'elements": "jar"')


@broken(".aar is another file")
def _(artifact):
    artifact.files[artifact.path(".aar")] += b" "


@broken("sources is missing")
def _(artifact):
    artifact.edit_file(".module", 'docstype": "sources"', 'docstype": "source"')


@claim
def contained(artifact):
    expected = list(CODE)
    if artifact.name == "pinfold-android":
        expected += ["proguard.txt", *(f"jni/{abi}/libpinfold.so" for abi in ABIS)]
    yield from differences("AAR", expected, artifact.aar)
    if artifact.aar.get("R.txt"):
        yield "AAR: there are no resources that R.txt could name"
    metadata = artifact.aar.get(METADATA, b"").decode().split()
    keys = [line.partition("=")[0] for line in metadata]
    yield from differences("aar-metadata.properties", [
        "aarFormatVersion", "aarMetadataVersion", "minAndroidGradlePluginVersion", "minCompileSdk",
    ], keys)


@broken("lint.jar does not belong there")
def _(artifact):
    artifact.put("lint.jar", b"")


@broken("classes.jar is missing")
def _(artifact):
    artifact.put("classes.jar", None)


@broken("no resources")
def _(artifact):
    artifact.put("R.txt", b"int string a 0")


@broken("minCompileSdk is missing")
def _(artifact):
    artifact.edit(METADATA, "minCompileSdk", "compileSdk")


@claim
def manifest(artifact):
    root = artifact.manifest
    if root.get("package") != "dev." + artifact.name.replace("-", "."):
        yield f"manifest: the package is {root.get('package')}"
    minimum = [item.attrib for item in root.iter("uses-sdk")]
    if minimum != [{ANDROID + "minSdkVersion": "24"}]:
        yield f"manifest: uses-sdk is {minimum}"
    found = [item.get(ANDROID + "name") for item in root.iter("uses-permission")]
    yield from differences("manifest", artifact.permissions, found)
    # What an app gets to run by merely depending on this.
    parts = [(item.tag, item.get(ANDROID + "name"), item.get(ANDROID + "exported"))
             for application in root.iter("application") for item in application]
    expected = [("provider", "dev.pinfold.debug.DebugGuard", "false")]
    if parts != (expected if artifact.name == "pinfold-debug" else []):
        yield f"manifest: the application has {parts}"
    for item in root:
        if item.tag not in ("uses-sdk", "uses-permission", "application"):
            yield f"manifest: {item.tag}"


@broken("the package is")
def _(artifact):
    artifact.edit("AndroidManifest.xml", 'package="dev', 'package="com')


@broken("uses-sdk is")
def _(artifact):
    artifact.edit("AndroidManifest.xml", '"24"', '"21"')


@broken("CAMERA does not belong there")
def _(artifact):
    permission = '<uses-permission android:name="android.permission.CAMERA"/></manifest>'
    artifact.edit("AndroidManifest.xml", "</manifest>", permission)


@broken("the application has")
def _(artifact):
    service = '<application><service android:name="a"/></application></manifest>'
    artifact.edit("AndroidManifest.xml", "</manifest>", service)


@broken("manifest: queries")
def _(artifact):
    artifact.edit("AndroidManifest.xml", "</manifest>", "<queries/></manifest>")


@claim
def rules(artifact):
    source = ROOT / "android" / artifact.module / "src/main/consumer-rules.pro"
    if artifact.aar.get("proguard.txt") != (source.read_bytes() if source.exists() else None):
        yield "AAR: the rules for R8 are not the source's"


@broken("not the source's")
def _(artifact):
    artifact.put("proguard.txt", b"-dontobfuscate\n")


@claim
def libraries(artifact):
    """They are the ones whose claims are checked by themselves."""
    for name, data in artifact.aar.items():
        if name.startswith("jni/") and data != (ROOT / "target/android" / name).read_bytes():
            yield f"AAR: {name} is not target/android/{name}"


@broken("libpinfold.so is not target/android/jni")
def _(artifact):
    artifact.put("jni/arm64-v8a/libpinfold.so", b"")


@claim
def classes(artifact):
    packages = set()
    for name, data in artifact.classes.items():
        if re.fullmatch(r"META-INF/[\w-]+\.kotlin_module", name):
            continue
        packages.add(name.rpartition("/")[0])
        if not name.endswith(".class") or data[:4] != b"\xca\xfe\xba\xbe":
            yield f"classes: {name} is no class"
        elif int.from_bytes(data[6:8], "big") > CLASS_VERSION:
            yield f"classes: {name} is for a newer Java than 17"
    yield from differences("classes", artifact.packages, packages)


@broken("org/junit does not belong there")
def _(artifact):
    artifact.put_class("org/junit/Test.class", b"\xca\xfe\xba\xbe\0\0\0\x3d")


@broken("is no class")
def _(artifact):
    artifact.put_class(f"{artifact.packages[0]}/libpinfold.so", b"")


@broken("newer Java")
def _(artifact):
    artifact.put_class(f"{artifact.packages[0]}/A.class", b"\xca\xfe\xba\xbe\0\0\0\x45")


@claim
def private(artifact):
    """Nothing of the machine that built it, and no test code."""
    machine = [f"{ROOT}/"]
    testing = [f"{pathlib.Path.home()}/", "/home/", "/Users/",
               "org/junit", "org/robolectric", "testkit", "example.test"]
    for what, words, entries in [
        ("classes", machine + testing, artifact.classes),
        ("sources", machine + testing, artifact.zip("-sources.jar")),
        ("documentation", machine, artifact.zip("-javadoc.jar")),
    ]:
        for name, data in entries.items():
            if name.endswith(("Test.class", "Test.kt")):
                yield f"{what}: {name} is a test"
            for word in words:
                if word.encode() in data:
                    yield f"{what}: {name} holds {word}"


@broken("holds testkit")
def _(artifact):
    artifact.put_class("dev/pinfold/A.class", b"testkit")


@broken("is a test")
def _(artifact):
    artifact.put_class("dev/pinfold/PinningTest.class", b"")


@broken("documentation: index.html holds")
def _(artifact):
    artifact.files[artifact.path("-javadoc.jar")] = packed({"index.html": f"{ROOT}/".encode()})


@claim
def reproducible(artifact):
    """No time of day and no order of a file system."""
    archives = {suffix: artifact.files[artifact.path(suffix)]
                for suffix in (".aar", "-sources.jar", "-javadoc.jar")}
    archives["classes.jar"] = artifact.aar["classes.jar"]
    for name, data in archives.items():
        with zipfile.ZipFile(io.BytesIO(data)) as entries:
            names = entries.namelist()
            if names != sorted(names) or any(e.date_time != STAMP for e in entries.infolist()):
                yield f"{name}: its entries have times or no order"


@broken(".aar: its entries")
def _(artifact):
    artifact.files[artifact.path(".aar")] = packed(dict(reversed(artifact.aar.items())))


@claim
def documented(artifact):
    """Every class and every page that is looked for first."""
    sources = artifact.zip("-sources.jar")
    for package in artifact.packages:
        if not any(name.rpartition("/")[0] == package for name in sources):
            yield f"sources: none of {package}"
    if "index.html" not in artifact.zip("-javadoc.jar"):
        yield "documentation: it has no index.html"


@broken("sources: none of")
def _(artifact):
    artifact.files[artifact.path("-sources.jar")] = packed({})


@broken("no index.html")
def _(artifact):
    artifact.files[artifact.path("-javadoc.jar")] = packed({})


@claim
def size(artifact):
    size = len(artifact.files[artifact.path(".aar")])
    if size > artifact.budget:
        yield f"AAR: {size:,} bytes; the budget is {artifact.budget:,}"


@broken("bytes; the budget")
def _(artifact):
    artifact.put("big", bytes(artifact.budget))


def problems(repository):
    yield from differences("repository", ARTIFACTS, folders(repository))
    for name in set(ARTIFACTS) & set(folders(repository)):
        artifact = Artifact(name, repository)
        wrong = list(files(artifact))
        # Without all its files the other claims have nothing to read.
        wrong = wrong or [problem for claim in CLAIMS for problem in claim(artifact)]
        yield from (f"{name}: {problem}" for problem in wrong)


def folders(repository):
    return [folder.name for folder in repository.glob("dev/pinfold/*")]


def self_test(repository):
    for name in ARTIFACTS:
        for claim, message, spoil in BREAKS:
            artifact = Artifact(name, repository)
            spoil(artifact)
            if not any(message in problem for problem in claim(artifact)):
                yield f"{name}: {claim.__name__} does not say: {message}"
