"""The public API of a Rust crate, a line for each item, from rustdoc's JSON, for scripts/api."""


class Dump:
    """Of what rustdoc wrote; its format is that of the toolchain which rust-toolchain.toml names."""

    def __init__(self, document):
        self.index = document["index"]
        self.lines = set()
        self.seen = set()
        self.module(self.item(document["root"]), "")

    def item(self, id):
        return self.index.get(str(id))

    def module(self, module, path):
        name = f"{path}{module['name']}"
        for id in module["inner"]["module"]["items"]:
            if item := self.item(id):
                self.public(item, f"{name}::", item["name"])

    def public(self, item, path, name):
        (kind, inner), = item["inner"].items()
        if kind == "use":
            return self.used(inner, path)
        if item["visibility"] not in ("public", "default") or (item["id"], path + str(name)) in self.seen:
            return None
        self.seen.add((item["id"], path + str(name)))
        if kind == "module":
            return self.module({**item, "name": name}, path)
        here = f"{path}{name}"
        if kind == "function":
            self.lines.add(f"{here}: {self.function(inner)}")
        elif kind in ("constant", "static", "assoc_const"):
            self.lines.add(f"{here}: {kind} {self.type(inner['type'])}")
        elif kind == "type_alias":
            self.lines.add(f"{here}{self.generics(inner['generics'])}: type {self.type(inner['type'])}")
        elif kind == "assoc_type":
            self.lines.add(f"{here}: type {self.bounds(inner.get('bounds', []))}")
        elif kind in ("struct", "enum", "union", "trait"):
            self.container(kind, inner, here, item)
        elif kind == "macro":
            self.lines.add(f"{here}: macro")
        return None

    def used(self, inner, path):
        target = self.item(inner["id"]) if inner["id"] is not None else None
        if target is None:
            self.lines.add(f"{path}{inner['name']}: use {inner['source']}")
        elif inner["is_glob"]:
            for id in (target["inner"].get("module") or target["inner"].get("enum", {})).get("items", []):
                if item := self.item(id):
                    self.public(item, path, item["name"])
        else:
            self.public(target, path, inner["name"])

    def container(self, kind, inner, here, item):
        marks = "".join(f"#[{mark}] " for mark in ("non_exhaustive",) if mark in str(item["attrs"]))
        self.lines.add(f"{here}{self.generics(inner['generics'])}: {marks}{kind}"
                       + (f" {self.bounds(inner['bounds'])}" if inner.get("bounds") else ""))
        for id in self.members(kind, inner):
            member = self.item(id)
            if member is None:
                continue
            (member_kind, member_inner), = member["inner"].items()
            if member_kind == "struct_field":
                if member["visibility"] == "public":
                    self.lines.add(f"{here}.{member['name']}: {self.type(member_inner)}")
            elif member_kind == "variant":
                self.lines.add(f"{here}::{member['name']}: {self.variant(member_inner)}")
            else:
                self.public(member, f"{here}::", member["name"])
        for id in inner.get("impls", []):
            if implementation := self.item(id):
                self.implementation(implementation["inner"]["impl"], here)

    @staticmethod
    def members(kind, inner):
        if kind == "struct":
            form = inner["kind"]
            return form["plain"]["fields"] if "plain" in form else [
                id for id in form.get("tuple", []) if id is not None] if isinstance(form, dict) else []
        return inner.get("variants") or inner.get("fields") or inner.get("items") or []

    def variant(self, inner):
        form = inner["kind"]
        if form == "plain":
            return "variant"
        ids = form["tuple"] if "tuple" in form else form["struct"]["fields"]
        fields = [self.item(id) for id in ids if id is not None and self.item(id)]
        text = ", ".join((f"{field['name']}: " if "struct" in form else "") + self.type(field["inner"]["struct_field"])
                         for field in fields)
        return f"variant {{ {text} }}" if "struct" in form else f"variant({text})"

    def implementation(self, inner, here):
        if inner["trait"] is None:
            for id in inner["items"]:
                if item := self.item(id):
                    self.public(item, f"{here}::", item["name"])
        elif not inner["is_synthetic"] and inner["blanket_impl"] is None \
                and inner["trait"]["path"] != "StructuralPartialEq":
            self.lines.add(f"{here}: {'!' if inner['is_negative'] else ''}impl {self.path(inner['trait'])}")

    def function(self, inner):
        head, sig = inner["header"], inner["sig"]
        words = [word for word in ("const", "async", "unsafe") if head[f"is_{word}"]]
        inputs = ", ".join(f"{name}: {self.type(kind)}" for name, kind in sig["inputs"])
        output = f" -> {self.type(sig['output'])}" if sig["output"] else ""
        return f"{' '.join([*words, 'fn'])}{self.generics(inner['generics'])}({inputs}){output}"

    def generics(self, generics):
        parameters = [parameter for parameter in generics["params"]
                      if not parameter["kind"].get("type", {}).get("is_synthetic")]
        text = ", ".join(self.parameter(parameter) for parameter in parameters)
        where = [self.predicate(predicate) for predicate in generics["where_predicates"]]
        return (f"<{text}>" if text else "") + (f" where {', '.join(filter(None, where))}" if any(where) else "")

    def parameter(self, parameter):
        kind = parameter["kind"]
        if "type" in kind and kind["type"]["bounds"]:
            return f"{parameter['name']}: {self.bounds(kind['type']['bounds'])}"
        return f"const {parameter['name']}: {self.type(kind['const']['type'])}" if "const" in kind else parameter["name"]

    def predicate(self, predicate):
        bound = predicate.get("bound_predicate")
        return f"{self.type(bound['type'])}: {self.bounds(bound['bounds'])}" if bound else ""

    def bounds(self, bounds):
        texts = []
        for bound in bounds:
            if "trait_bound" in bound:
                maybe = "?" if bound["trait_bound"]["modifier"] == "maybe" else ""
                texts.append(maybe + self.path(bound["trait_bound"]["trait"]))
            elif "outlives" in bound:
                texts.append(bound["outlives"])
        return " + ".join(texts)

    def path(self, path):
        # As it is named where it is, however it was imported.
        return path["path"].rpartition("::")[2] + self.arguments(path.get("args"))

    def arguments(self, arguments):
        if not arguments:
            return ""
        if "parenthesized" in arguments:
            of = arguments["parenthesized"]
            output = f" -> {self.type(of['output'])}" if of["output"] else ""
            return f"({', '.join(map(self.type, of['inputs']))}){output}"
        of = arguments.get("angle_bracketed", {})
        texts = [self.type(argument["type"]) if "type" in argument else str(next(iter(argument.values())))
                 if isinstance(argument, dict) else str(argument) for argument in of.get("args", [])]
        for constraint in of.get("constraints", []):
            binding = constraint["binding"]
            value = binding.get("equality", {}).get("type")
            texts.append(f"{constraint['name']} = {self.type(value)}" if value else constraint["name"])
        return f"<{', '.join(texts)}>" if texts else ""

    def type(self, of):
        (kind, inner), = of.items() if isinstance(of, dict) else [(of, None)]
        if kind == "resolved_path":
            return self.path(inner)
        if kind in ("generic", "primitive"):
            return inner
        if kind == "borrowed_ref":
            life = f"{inner['lifetime']} " if inner["lifetime"] else ""
            return f"&{life}{'mut ' if inner['is_mutable'] else ''}{self.type(inner['type'])}"
        if kind == "tuple":
            return f"({', '.join(map(self.type, inner))})"
        if kind == "slice":
            return f"[{self.type(inner)}]"
        if kind == "array":
            return f"[{self.type(inner['type'])}; {inner['len']}]"
        if kind == "impl_trait":
            return f"impl {self.bounds(inner)}"
        if kind == "dyn_trait":
            traits = [self.path(item["trait"]) for item in inner["traits"]]
            return f"dyn {' + '.join(traits + ([inner['lifetime']] if inner['lifetime'] else []))}"
        if kind == "qualified_path":
            trait = f" as {self.path(inner['trait'])}" if inner["trait"] else ""
            return f"<{self.type(inner['self_type'])}{trait}>::{inner['name']}"
        if kind == "function_pointer":
            return f"fn({', '.join(self.type(item) for _, item in inner['sig']['inputs'])})"
        if kind == "raw_pointer":
            return f"*{'mut' if inner['is_mutable'] else 'const'} {self.type(inner['type'])}"
        return kind
