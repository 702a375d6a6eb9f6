"""The claims about what is in an AAR and the archives beside it, for scripts/verify-android."""
import io
import pathlib
import re
import zipfile

from artifact import ROOT, STAMP, differences, edited_entry, packed
from claims import Claims

ABIS = ["arm64-v8a", "armeabi-v7a", "x86_64"]
ANDROID = "{http://schemas.android.com/apk/res/android}"
# Java 17's class files; whatever R8 reads that minAndroidGradlePluginVersion has.
CLASS_VERSION = 61
METADATA = "META-INF/com/android/build/gradle/aar-metadata.properties"
CODE = [METADATA, "AndroidManifest.xml", "R.txt", "classes.jar"]

CLAIMS = Claims()
claim, broken = CLAIMS.claim, CLAIMS.broken


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


broken("minCompileSdk is missing")(edited_entry(METADATA, "minCompileSdk", "compileSdk"))


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


broken("the package is")(edited_entry("AndroidManifest.xml", 'package="dev', 'package="com'))
broken("uses-sdk is")(edited_entry("AndroidManifest.xml", '"24"', '"21"'))


def declaring(element):
    return edited_entry("AndroidManifest.xml", "</manifest>", f"{element}</manifest>")


broken("CAMERA does not belong there")(
    declaring('<uses-permission android:name="android.permission.CAMERA"/>'))
broken("the application has")(
    declaring('<application><service android:name="a"/></application>'))
broken("manifest: queries")(declaring("<queries/>"))


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
