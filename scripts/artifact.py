"""An artifact in the Maven repository of scripts/build-aar, as scripts/verify-android reads it."""
import io
import pathlib
import xml.etree.ElementTree as ElementTree
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = "0.1.0"
STAMP = (1980, 2, 1, 0, 0, 0)

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
    "pinfold-okhttp": (
        "okhttp", ["com.squareup.okhttp3:okhttp:jar", "dev.pinfold:pinfold-android:aar"], [],
        ["dev/pinfold/okhttp"], 40_000,
    ),
    "pinfold-ktor": (
        "ktor", ["dev.pinfold:pinfold-android:aar", "io.ktor:ktor-client-core:jar",
                 "org.jetbrains.kotlin:kotlin-stdlib:jar"], [],
        ["dev/pinfold/ktor"], 40_000,
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


def contents(data):
    with zipfile.ZipFile(io.BytesIO(data)) as entries:
        return {name: entries.read(name) for name in entries.namelist()}


def packed(entries):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as out:
        for name, content in entries.items():
            out.writestr(zipfile.ZipInfo(name, STAMP), content)
    return data.getvalue()


def differences(what, expected, found):
    for name in sorted(set(expected) - set(found)):
        yield f"{what}: {name} is missing"
    for name in sorted(set(found) - set(expected)):
        yield f"{what}: {name} does not belong there"


def edited(suffix, old, new):
    """Spoils a file of an artifact."""
    def spoil(artifact):
        path = artifact.path(suffix)
        artifact.files[path] = artifact.files[path].replace(old.encode(), new.encode())
    return spoil


def edited_entry(name, old, new):
    """Spoils an entry of an artifact's AAR."""
    def spoil(artifact):
        artifact.put(name, artifact.aar[name].replace(old.encode(), new.encode()))
    return spoil
