"""The claims about the Maven repository of scripts/build-aar, for scripts/verify-android."""
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree

import aar
from artifact import ARTIFACTS, VERSION, Artifact, differences, edited
from claims import Claims

CHECKSUMS = ["sha512", "sha256", "sha1", "md5"]
POM = "{http://maven.apache.org/POM/4.0.0}"

CLAIMS = Claims()
claim, broken = CLAIMS.claim, CLAIMS.broken


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


broken(".pom.sha256 is not that of the file")(edited(".pom", "</project>", "</project> "))


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


broken("it is that of")(edited(".pom", "<packaging>aar", "<packaging>jar"))
broken("is not told")(edited(".pom", "do_not_remove", "remove"))
broken("is missing")(edited(".pom", "<type>aar", "<type>jar"))
broken("is missing")(edited(".pom", "<scope>compile", "<scope>test"))


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


broken("it is that of")(edited(".module", '"formatVersion": "1.1"', '"formatVersion": "1.0"'))
broken("does not belong there")(edited(".module", '"requires": "', '"requires": "9'))
broken("no AAR")(edited(".module", 'elements": "aar"', 'elements": "jar"'))


@broken(".aar is another file")
def _(artifact):
    artifact.files[artifact.path(".aar")] += b" "


broken("sources is missing")(edited(".module", 'docstype": "sources"', 'docstype": "source"'))


def problems(repository):
    yield from differences("repository", ARTIFACTS, folders(repository))
    for name in set(ARTIFACTS) & set(folders(repository)):
        artifact = Artifact(name, repository)
        # Without all its files the other claims have nothing to read.
        wrong = list(files(artifact)) or CLAIMS.problems(artifact) + aar.CLAIMS.problems(artifact)
        yield from (f"{name}: {problem}" for problem in wrong)


def folders(repository):
    return [folder.name for folder in repository.glob("dev/pinfold/*")]


def self_test(repository):
    for name in ARTIFACTS:
        for claims in (CLAIMS, aar.CLAIMS):
            for problem in claims.self_test(lambda: Artifact(name, repository)):
                yield f"{name}: {problem}"
