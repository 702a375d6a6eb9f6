"""What scripts/build-aar and scripts/build-jar publish, as Maven lays a repository out."""
import hashlib
import io
import pathlib
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
ANDROID = ROOT / "android"
GENERATED = ROOT / "target/bindings/kotlin"
CHECKSUMS = ["sha512", "sha256", "sha1", "md5"]


class Pom:
    """What is published of one of android's POMs."""

    def __init__(self, folder):
        project = read_xml(ANDROID / folder / "pom.xml")
        parent = read_xml(ANDROID / "pom.xml")
        self.properties = {item.tag: item.text for item in parent.find("properties")}
        for item in ("name", "description", "artifactId"):
            setattr(self, item, project.findtext(item))
        self.group = parent.findtext("groupId")
        self.version = parent.findtext("version")
        self.url = parent.findtext("url")
        self.license = parent.findtext("licenses/license/name")
        self.dependencies = [self.dependency(item) for item in project.find("dependencies")
                             if item.findtext("scope", "compile") == "compile"
                             and item.findtext("optional") != "true"]

    def dependency(self, item):
        """Group, artifact, version and type."""
        group, artifact = item.findtext("groupId"), item.findtext("artifactId")
        version = item.findtext("version")
        version = re.sub(r"\$\{(.*)}", lambda name: self.property(name[1]), version)
        return group, artifact, version, item.findtext("type", "jar")

    def property(self, name):
        return self.version if name == "project.version" else self.properties[name]


def read_xml(file):
    """Without namespaces."""
    tree = ElementTree.iterparse(file)
    for _, element in tree:
        element.tag = re.sub("^{.*}", "", element.tag) if isinstance(element.tag, str) else ""
    return tree.root


def archive(entries):
    """A zip of names and bytes, the same whenever and wherever it is made."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as out:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, (1980, 2, 1, 0, 0, 0))  # what Gradle writes
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            out.writestr(entry, entries[name])
    return data.getvalue()


def tree(folder, *patterns):
    """The files below a folder that match: names in it, and bytes."""
    return {file.relative_to(folder).as_posix(): file.read_bytes()
            for pattern in patterns for file in folder.rglob(pattern) if file.is_file()}


def classes(module):
    return tree(ANDROID / module / "target/classes", "*.class", "*.kotlin_module")


def sources(module):
    """A module's own; of the library also what is generated."""
    code = tree(ANDROID / module / "src/main/kotlin", "*.kt")
    if module == "pinfold":
        code |= tree(ANDROID / "pinfold/src/bindings/kotlin", "*.kt") | tree(GENERATED, "*.kt")
    return code


def pom_xml(pom, packaging, metadata):
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<project xmlns="http://maven.apache.org/POM/4.0.0">',
        # Gradle looks for this comment before it looks for the other file.
        *(["  <!-- do_not_remove: published-with-gradle-metadata -->"] if metadata else []),
        "  <modelVersion>4.0.0</modelVersion>",
        f"  <groupId>{pom.group}</groupId>",
        f"  <artifactId>{pom.artifactId}</artifactId>",
        f"  <version>{pom.version}</version>",
        f"  <packaging>{packaging}</packaging>",
        f"  <name>{escape(pom.name)}</name>",
        f"  <description>{escape(pom.description)}</description>",
        f"  <url>{pom.url}</url>",
        "  <licenses>",
        f"    <license><name>{pom.license}</name></license>",
        "  </licenses>",
        f"  <scm><url>{pom.url}</url></scm>",
        "  <dependencies>",
    ]
    for group, artifact, version, kind in pom.dependencies:
        lines += [
            "    <dependency>",
            f"      <groupId>{group}</groupId>",
            f"      <artifactId>{artifact}</artifactId>",
            f"      <version>{version}</version>",
            f"      <type>{kind}</type>",
            "      <scope>compile</scope>",
            "    </dependency>",
        ]
    lines += ["  </dependencies>", "</project>", ""]
    return "\n".join(lines).encode()


def checksums(data):
    return {kind: hashlib.new(kind, data).hexdigest() for kind in CHECKSUMS}


def maven_metadata(pom):
    updated = re.sub(r"\D", "", pom.properties["project.build.outputTimestamp"])
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>{pom.group}</groupId>
  <artifactId>{pom.artifactId}</artifactId>
  <versioning>
    <latest>{pom.version}</latest>
    <release>{pom.version}</release>
    <versions>
      <version>{pom.version}</version>
    </versions>
    <lastUpdated>{updated}</lastUpdated>
  </versioning>
</metadata>
""".encode()


def write(folder, files):
    """The files, each with its checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
        for kind, checksum in checksums(data).items():
            (folder / f"{name}.{kind}").write_text(checksum)


def publish(repository, pom, files):
    """One version, and the list of versions."""
    folder = repository / pom.group.replace(".", "/") / pom.artifactId
    write(folder, {"maven-metadata.xml": maven_metadata(pom)})
    write(folder / pom.version, files)
