"""Reads ELF shared objects, as far as scripts/verify-android asks."""
import struct

PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_TLS = 1, 2, 4, 7
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_TEXTREL = 1, 5, 14, 15, 22
DT_RUNPATH, DT_FLAGS, DT_RELR = 29, 30, 36
DF_TEXTREL, DF_BIND_NOW = 4, 8
SHT_SYMTAB, SHT_DYNSYM = 2, 11
ET_DYN = 3
EXECUTE, WRITE = 1, 2


class Record:
    """Some numbers of the file, by name and with their places, so that they can be overwritten."""

    def __init__(self, data, place, fields):
        self.data, self.fields = data, {}
        for name, code in fields:
            self.fields[name] = (place, code)
            place += struct.calcsize("<" + code)

    def __getattr__(self, name):
        place, code = self.fields[name]
        return struct.unpack_from("<" + code, self.data, place)[0]

    def write(self, name, value):
        place, code = self.fields[name]
        struct.pack_into("<" + code, self.data, place, value)


class SharedObject:
    """A little-endian shared object with a section table, of 32 or 64 bits."""

    def __init__(self, data):
        if data[:4] != b"\x7fELF":
            raise ValueError("not an ELF file")
        self.data = data
        self.bits = 32 * data[4]
        word = "I" if self.bits == 32 else "Q"
        self.header = self.record(0, "ident:16s type:H machine:H version:I entry:W phoff:W shoff:W "
                                     "flags:I ehsize:H phentsize:H phnum:H shentsize:H shnum:H")
        segment = ("type:I offset:I vaddr:I paddr:I filesz:I memsz:I flags:I align:I"
                   if self.bits == 32 else
                   "type:I flags:I offset:Q vaddr:Q paddr:Q filesz:Q memsz:Q align:Q")
        head = self.header
        self.segments = [self.record(head.phoff + i * head.phentsize, segment)
                         for i in range(head.phnum)]
        self.sections = [self.record(head.shoff + i * head.shentsize,
                                     "name:I type:I flags:W addr:W offset:W size:W link:I")
                         for i in range(head.shnum)]
        [dynamic] = self.of_type(PT_DYNAMIC)
        size = 2 * struct.calcsize(word)
        self.dynamic = [self.record(place, "tag:W value:W")
                        for place in range(dynamic.offset, dynamic.offset + dynamic.filesz, size)]
        symbol = ("name:I value:I size:I info:B other:B section:H" if self.bits == 32 else
                  "name:I info:B other:B section:H value:Q size:Q")
        [table] = [section for section in self.sections if section.type == SHT_DYNSYM]
        size = 16 if self.bits == 32 else 24
        self.symbols = [self.record(place, symbol)
                        for place in range(table.offset + size, table.offset + table.size, size)]

    def record(self, place, fields):
        word = "I" if self.bits == 32 else "Q"
        fields = [field.split(":") for field in fields.split()]
        return Record(self.data, place, [(name, code.replace("W", word)) for name, code in fields])

    def of_type(self, kind):
        return [segment for segment in self.segments if segment.type == kind]

    def entries(self, tag):
        return [entry for entry in self.dynamic if entry.tag == tag]

    def string_place(self, offset):
        address = self.entries(DT_STRTAB)[0].value + offset
        for segment in self.of_type(PT_LOAD):
            if segment.vaddr <= address < segment.vaddr + segment.filesz:
                return address - segment.vaddr + segment.offset
        raise ValueError(f"no string at {offset}")

    def string(self, offset):
        place = self.string_place(offset)
        return self.data[place:self.data.index(b"\0", place)].decode()

    def names(self, tag):
        return [self.string(entry.value) for entry in self.entries(tag)]

    def exports(self):
        return [symbol for symbol in self.symbols if symbol.section != 0]

    def imports(self):
        """Those without which the loader refuses the library: not the weak ones."""
        return [symbol for symbol in self.symbols if symbol.section == 0 and symbol.info >> 4 == 1]

    def flags(self):
        return sum(entry.value for entry in self.entries(DT_FLAGS))

    def rename(self, old, new):
        [symbol] = [one for one in self.exports() if self.string(one.name) == old]
        place = self.string_place(symbol.name)
        self.data[place:place + len(new) + 1] = new.encode() + b"\0"

    def note(self, owner, kind):
        """A note's place and content; 0 and nothing where there is none."""
        for segment in self.of_type(PT_NOTE):
            place, end = segment.offset, segment.offset + segment.filesz
            while place < end:
                owner_size, size, found = struct.unpack_from("<III", self.data, place)
                content = place + 12 + (owner_size + 3 & ~3)
                owned = self.data[place + 12:place + 12 + owner_size] == owner.encode() + b"\0"
                if owned and found == kind:
                    return content, bytes(self.data[content:content + size])
                place = content + (size + 3 & ~3)
        return 0, b""

    def debug_link(self):
        """Where the debug file's checksum is: at the end of the last section."""
        section = self.sections[-1]
        return section.offset + section.size - 4
