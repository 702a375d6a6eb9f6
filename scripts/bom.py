"""What an artefact consists of, as CycloneDX 1.6, for scripts/supply.

From cargo's own plan of the build (`--unit-graph`): a list of the whole workspace would be wrong, because
there the tool's and the tests' crates switch on features of the same crates, and bring others.
"""
import json
import os
import pathlib
import re
import subprocess
import tomllib
import uuid

from maven import ROOT, Pom

REPOSITORY = "https://github.com/pinfold/pinfold"
# What is shipped: the target that stands for all of the kind, and how its build script calls cargo.
ARTEFACTS = {
    "android": ("aarch64-linux-android",
                ["--no-default-features", "--lib", "--crate-type", "cdylib",
                 "-Zbuild-std=std,panic_unwind", "-Zbuild-std-features=optimize_for_size"]),
    "ios": ("aarch64-apple-ios", ["--lib", "--crate-type", "staticlib"]),
}


def run(*command, cwd=ROOT, **environment):
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True,
                          env={**os.environ, **environment}).stdout


def plan(artefact, std=True):
    """The packages that are linked into an artefact: from id to features, and to ids. Without Rust's own
    library its sources need not be here."""
    target, arguments = ARTEFACTS[artefact]
    arguments = [argument for argument in arguments if std or not argument.startswith("-Zbuild-std")]
    graph = json.loads(run("cargo", "rustc", "--quiet", "--locked", "-p", "pinfold-ffi", *arguments,
                           "--profile", "mobile", "--target", target,
                           "-Zunstable-options", "--unit-graph", RUSTC_BOOTSTRAP="1"))
    units = graph["units"]

    def linked(unit):
        kinds = set(unit["target"]["kind"])
        return unit["platform"] == target and unit["mode"] == "build" and "custom-build" not in kinds

    features, needs = {}, {}
    for unit in filter(linked, units):
        name = unit["pkg_id"]
        features.setdefault(name, set()).update(unit["features"])
        others = (units[dependency["index"]] for dependency in unit["dependencies"])
        needs.setdefault(name, set()).update(
            other["pkg_id"] for other in others if linked(other) and other["pkg_id"] != name)
    return features, needs


def parts(package_id):
    """Name and version of a package id, and whether a registry has it."""
    place, _, name = package_id.rpartition("#")
    name, _, version = name.rpartition("@") if "@" in name else (place.rsplit("/", 1)[1], "", name)
    return name, version, package_id.startswith("registry+")


def checksums():
    """Those of all registry packages, by name and version."""
    sysroot = pathlib.Path(run("rustc", "--print", "sysroot").strip())
    files = [ROOT / "Cargo.lock", sysroot / "lib/rustlib/src/rust/library/Cargo.lock"]
    found = {}
    for file in filter(pathlib.Path.exists, files):
        for package in tomllib.loads(file.read_text())["package"]:
            if "checksum" in package:
                found[package["name"], package["version"]] = package["checksum"]
    return found


def licences():
    """By name and version, of what the workspace may use."""
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1"))
    return {(package["name"], package["version"]): package["license"] for package in metadata["packages"]}


def is_std(package_id):
    return package_id.startswith("path+") and "/rustlib/src/rust/" in package_id


def component(kind, name, version, purl, **more):
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl, **more}


def cargo_components(features):
    """A component for each package, and for Rust's own library one in all."""
    digests, terms = checksums(), licences()
    rust = re.search(r"release: (\S+)", run("rustc", "-vV"))[1]
    std = component("library", "rust-standard-library", rust, f"pkg:generic/rust-std@{rust}",
                    licenses=[{"expression": "MIT OR Apache-2.0"}])
    made = {}
    for package_id in features:
        name, version, registry = parts(package_id)
        if is_std(package_id):
            made[package_id] = std
            continue
        more = {"properties": [{"name": "cargo:feature", "value": feature}
                               for feature in sorted(features[package_id])]}
        if registry:
            more["hashes"] = [{"alg": "SHA-256", "content": digests[name, version]}]
        if terms.get((name, version)):
            more["licenses"] = [{"expression": terms[name, version].replace("/", " OR ")}]
        purl = f"pkg:cargo/{name}@{version}" + ("" if registry else f"?vcs_url=git%2B{REPOSITORY}")
        made[package_id] = component("library", name, version, purl, **more)
    if std not in made.values():
        made["std"] = std
    return made


def document(artefact, commit, date):
    """The whole list of an artefact, the same bytes for the same commit and toolchain."""
    features, needs = plan(artefact)
    made = cargo_components(features)
    library = Pom("pinfold")
    name = {"android": "pinfold-android", "ios": "Pinfold.xcframework"}[artefact]
    purl = {"android": f"pkg:maven/{library.group}/{name}@{library.version}?type=aar",
            "ios": f"pkg:generic/{name}@{library.version}"}[artefact]
    whole = component("library", name, library.version, purl,
                      licenses=[{"expression": "MIT OR Apache-2.0"}],
                      externalReferences=[{"type": "vcs", "url": f"{REPOSITORY}/tree/{commit}"}])
    refs = {package_id: item["bom-ref"] for package_id, item in made.items()}
    depends = {}
    for package_id, others in needs.items():
        depends.setdefault(refs[package_id], set()).update(refs[other] for other in others)
    components = {item["bom-ref"]: item for item in made.values()}
    for ref in components:
        depends.setdefault(ref, set()).discard(ref)
    root = {refs[package_id] for package_id in features if parts(package_id)[0] == "pinfold-ffi"}
    if artefact == "android":
        for group, artifact, version, _ in library.dependencies:
            kind = "?type=aar" if artifact == "jna" else ""
            item = component("library", artifact, version, f"pkg:maven/{group}/{artifact}@{version}{kind}",
                             group=group)
            components[item["bom-ref"]], depends[item["bom-ref"]] = item, set()
            root.add(item["bom-ref"])
    depends[purl] = root
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"{REPOSITORY}/{commit}/{artefact}").urn,
        "version": 1,
        "metadata": {"timestamp": date, "component": whole, "lifecycles": [{"phase": "build"}],
                     "tools": {"components": [{"type": "application", "name": "scripts/supply",
                                               "version": commit}]}},
        "components": sorted(components.values(), key=lambda item: item["bom-ref"]),
        "dependencies": [{"ref": ref, "dependsOn": sorted(others)} for ref, others in sorted(depends.items())],
    }


def resolved(folder, target, arguments):
    """What `cargo tree` says is linked: name and version to features."""
    lines = run("cargo", "tree", "--edges", "normal,no-proc-macro", "--no-dedupe", "--prefix", "none",
                "--target", target, "--format", "{p}|{f}", *arguments, cwd=folder).splitlines()
    found = {}
    for line in filter(None, lines):
        package, _, features = line.partition("|")
        name, version = package.split()[:2]
        found.setdefault((name, version.removeprefix("v")), set()).update(filter(None, features.split(",")))
    return found


def metadata(target):
    """What most tools go by: `cargo metadata` of the workspace, from the shipped crate on."""
    whole = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = {package["id"]: package for package in whole["packages"]}
    nodes = {node["id"]: node for node in whole["resolve"]["nodes"]}
    todo, found = [id for id in nodes if packages[id]["name"] == "pinfold-ffi"], {}
    while todo:
        id = todo.pop()
        key = packages[id]["name"], packages[id]["version"]
        if key in found or any("proc-macro" in item["kind"] for item in packages[id]["targets"]):
            continue
        found[key] = set(nodes[id]["features"])
        todo += [dependency["pkg"] for dependency in nodes[id]["deps"]
                 if any(kind["kind"] is None for kind in dependency["dep_kinds"])]
    return found
