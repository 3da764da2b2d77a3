"""gdb shows flows and what they are used with in words, also of a core dump: nothing
is called in the program.

    (gdb) source tools/gdb/flow.py        # or in ~/.gdbinit, with the whole path
    (gdb) print connection
    $1 = flow tcp 127.0.0.1:5432 -> 127.0.0.1:40112, open, 12 B in, 34 B out, read: asleep (fd)
    (gdb) print status
    $2 = UNAVAILABLE (reset): read() failed: Connection reset by peer [104]; ...

It shows Flow, AsyncFlow, Buffer, Endpoint, MonoTime, Limits, CancelToken, CancelSource,
and of Abseil's Status (20220623), Duration. What a type is made of must be in the debug
information (compile flow with -g); `print/r` shows it as it is. What can't be read is
shown in gdb's own way.
"""

import socket
import struct

import gdb  # pylint: disable=import-error

NEVER = (1 << 63) - 1
PAST = -(1 << 63)

KINDS = (
    "closed locally,closed by peer,reset,sealed,truncated,deadline,cancelled,system,other".split(",")
)  # flow::ErrorKind
CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
).split()
ACTIVITIES = ("idle", "in the transport", "asleep (fd)", "asleep (signal)", "asleep (time)", "in line")  # flow::Activity

# The word of a Core: flow/state.h, the private part of FlowState.
CLOSED_BIT = 1 << 1
READ_SHUT_BIT = 1 << 5
WRITE_SHUT_AT = 7
READ_END_AT = 9
WRITE_END_AT = 12
HELD_AT = 15
READ_ENDS = ("", "unsettled", "draining", "Eof", "error")
WRITE_ENDS = ("", "unsettled", "closed by peer", "error", "sealed")
WRITE_SHUTS = ("", "shutting", "shut")


def fields_of(value, name):
    """Every field of that name, in `value`, its bases and its fields."""
    kind = value.type.strip_typedefs()
    if kind.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return
    for part in kind.fields():
        if not hasattr(part, "bitpos"):
            continue  # static
        if part.name == name:
            yield value[part]
        else:
            yield from fields_of(value[part], name)


def field_of(value, name):
    """The first."""
    return next(fields_of(value, name))


def atomic(value):
    """Of a std::atomic."""
    return field_of(value, "_M_i")


def unique(value):
    """What a std::unique_ptr points to, as a pointer."""
    return next(found for found in fields_of(value["_M_t"], "_M_head_impl") if is_pointer(found))


def is_pointer(value):
    return value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR


def shared(value):
    """What a std::shared_ptr points to, as a pointer."""
    return field_of(value, "_M_ptr")


def text(value):
    """Of a std::string."""
    length = int(value["_M_string_length"])
    return value["_M_dataplus"]["_M_p"].string("utf-8", "replace", length)


def memory(address, length):
    return bytes(gdb.selected_inferior().read_memory(int(address), length))


def escaped(words):
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in words)


# ------------------------------------------------------------------ what is said


def mono_time(value):
    ns = int(value["ns_"])
    if ns == NEVER:
        return "never"
    return "past" if ns == PAST else f"{ns / 1e9:.6f}s"


def duration(value):
    high, low = value["rep_hi_"], int(value["rep_lo_"])
    if high.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:  # newer than 20220623
        seconds = int(high["hi"]) << 32 | int(high["lo"])
    else:
        seconds = int(high)
    if low == 0xFFFFFFFF:
        return "inf" if seconds >= 0 else "-inf"
    return f"{seconds + low / 4e9:.9g}s"


def buffer(value):
    size, data = int(value["size_"]), unique(value["data_"])
    shown = memory(data, min(size, 64)) if size else b""
    return f"Buffer of {size} bytes {escaped(repr(shown)[1:])}{'...' if size > len(shown) else ''}"


def endpoint(value):
    kind = int(value["kind_"])
    raw = bytes(int(value["address_"][i]) & 0xFF for i in range(16))
    port = int(value["port_"])
    name = unique(value["name_"])
    named = escaped(text(name.dereference())) if int(name) else None
    if kind == 1:
        return f"{socket.inet_ntop(socket.AF_INET, raw[:4])}:{port}"
    if kind == 2:
        scope = int(value["scope_id_"])
        return f"[{socket.inet_ntop(socket.AF_INET6, raw)}{f'%{scope}' if scope else ''}]:{port}"
    if kind == 3:
        return named if named is not None else "(unnamed)"
    return named if kind == 4 else "?"


def endpoint_scheme(value):
    return {1: "tcp ", 2: "tcp ", 3: "unix "}.get(int(value["kind_"]), "")


def cancel(value):
    state = shared(value["state_"])
    if not int(state):
        return "never cancelled"
    state = state.dereference()
    if int(atomic(state["cancelled"])):
        return "cancelled"
    deadline = int(atomic(state["deadline_ns"]))
    return "not cancelled" if deadline == NEVER else f"deadline {deadline / 1e9:.6f}s"


def limits(value):
    return (
        f"deadline {mono_time(value['deadline'])}, stall_timeout {duration(value['stall_timeout'])}, "
        f"{cancel(value['cancel'])}"
    )


def core(value):
    word = int(atomic(value["word_"]))
    layers = unique(value["layers_"])
    words = "flow " + (text(layers.dereference()) if int(layers) else "")
    local, peer = value["local_"], value["peer_"]
    words += f"{endpoint_scheme(local) or endpoint_scheme(peer)}{endpoint(local)} -> {endpoint(peer)}"
    words += ", closed" if word & CLOSED_BIT else ", open"
    words += f", {int(atomic(value['bytes_read_']))} B in, {int(atomic(value['bytes_written_']))} B out"
    read = ["shut"] if word & READ_SHUT_BIT else []
    read.append(READ_ENDS[word >> READ_END_AT & 7])
    write = [WRITE_SHUTS[word >> WRITE_SHUT_AT & 3], WRITE_ENDS[word >> WRITE_END_AT & 7]]
    for way, (side, ends) in enumerate((("read", read), ("write", write))):
        activity = int(atomic(value["activity_"][way]))
        if activity == 0 and word >> (HELD_AT + way) & 1:
            activity = 1
        queued = int(atomic(value["queued_"][way]))
        facts = ends + [ACTIVITIES[activity] if activity else "", f"{queued} in line" if queued else ""]
        facts = ", ".join(fact for fact in facts if fact)
        words += f", {side}: {facts}" if facts else ""
    return words


def flow(value):
    return core(value["core_"].dereference()) if int(value["core_"]) else "no flow"


def async_flow(value):
    shared_core = shared(value["core_"])
    return "async " + flow(shared_core.dereference()) if int(shared_core) else "no flow"


def cord_bytes(cord):
    """Of a Cord that is short or one piece, as payloads are."""
    raw = memory(cord.address, cord.type.sizeof)
    if not raw[15] & 1:
        return raw[: raw[15] >> 1]
    rep = struct.unpack_from("P", raw)[0]
    length = struct.unpack("P", memory(rep, 8))[0]
    kind = gdb.lookup_type("absl::lts_20220623::cord_internal::CordRep")
    storage = {field.name: field for field in kind.fields()}["storage"]
    return memory(rep + storage.bitpos // 8, length)


def payload_kind(rep):
    """" (reset)": what flow::KindOf would say; empty if flow did not make it."""
    payloads = unique(rep["payloads"])
    if not int(payloads):
        return ""
    storage = payloads.dereference()["storage_"]
    size_and_flag = int(field_of(storage["metadata_"], "value"))
    data = storage["data_"]
    payload = gdb.lookup_type("absl::lts_20220623::status_internal::Payload")
    if size_and_flag & 1:
        first = data["allocated"]["allocated_data"]
    else:
        first = data["inlined"]["inlined_data"].address
    first = first.cast(payload.pointer()).dereference()
    kind = int(cord_bytes(first["payload"]).split(b" ")[0])
    return f" ({KINDS[kind]})"


def status(value):
    rep = int(value["rep_"])
    if not rep & 1:  # 20220623: the code is in the word itself
        return CODES[rep >> 2]
    kind = gdb.lookup_type("absl::lts_20220623::status_internal::StatusRep")
    rep = gdb.Value(rep - 1).cast(kind.pointer()).dereference()
    try:
        said = payload_kind(rep)
    except (gdb.error, LookupError, StopIteration, TypeError, ValueError):
        said = ""  # the kind is an extra: the rest is still worth showing
    return f"{CODES[int(rep['code'])]}{said}: {text(rep['message'])}"


# ------------------------------------------------------------------ for gdb

WORDS = {
    "flow::Flow": flow,
    "flow::AsyncFlow": async_flow,
    "flow::internal::Core": core,
    "flow::Buffer": buffer,
    "flow::Endpoint": endpoint,
    "flow::MonoTime": mono_time,
    "flow::Limits": limits,
    "flow::CancelToken": cancel,
    "flow::CancelSource": cancel,
    "absl::lts_20220623::Status": status,
    "absl::lts_20220623::Duration": duration,
}


class Printer:
    """What gdb asks for a text."""

    def __init__(self, words):
        self.words = words

    def to_string(self):
        return self.words


def look_up(value):
    if value.type.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
    name = value.type.strip_typedefs().unqualified().name
    if name not in WORDS:
        return None
    try:
        return Printer(WORDS[name](value))
    except (gdb.error, AttributeError, LookupError, StopIteration, TypeError, ValueError):
        return None  # another Abseil, or no debug information: gdb's own way


look_up.name = "flow"
look_up.enabled = True
gdb.pretty_printers.insert(0, look_up)
