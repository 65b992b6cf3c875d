"""How tests read traces back."""

from star_watos.fabric.chakra import messages


def split(data):
    """Return the messages of a file: each behind its length."""
    found, at = [], 0
    while at < len(data):
        size, at = varint(data, at)
        found.append(data[at : at + size])
        at += size
    assert at == len(data)
    return found


def varint(data, at):
    number, shift = 0, 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return number, at


def wire(data):
    """Return field numbers and values of a message, knowing no schema."""
    found, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        else:
            assert key & 7 == 0
        found.append((key >> 3, value))
    return found


def read(data):
    """Return the nodes of a trace."""
    nodes = [messages().node.FromString(part) for part in split(data)[1:]]
    for node in nodes:
        held = {each.name: getattr(each, each.WhichOneof("value")) for each in node.attr}
        assert held.pop("is_cpu_op") is False
        yield node, held
