#!/usr/bin/env python3
"""Check a Countersign packet, attestation bundle or checkpoint offline, trusting only a key.

    python3 countersign-verify.py packet.pdf [packet.tlog-proof] --key KEY
    python3 countersign-verify.py attestation.zip --key KEY
    python3 countersign-verify.py checkpoint --key KEY

KEY is a verifier key (name+keyid+base64) or a file that holds some, one a line; get it another way
than the files. Standard library only, Python 3.9 or later; shares no code with what made the files.
Exit: 0 valid; 1 changed, or the signer is not identified; 2 wrong use.
"""
import argparse, base64, datetime, hashlib, json, os, re, struct, sys, zlib

PLAIN = r"[A-Za-z0-9_-][\w.-]*(/[A-Za-z0-9_-][\w.-]*)*"
PREDICATE = "urn:countersign:attestation:llm-data-residency:v0.1"
INTEGER = "(0|[1-9][0-9]{0,18})"
VERDICTS = ("compliant", "violating", "unproven", "unrestricted")
ENTRY_TYPES = "pages finding packet key hour attestation erasure retention hold restore".split()
NO_SIGNER = "Who signed: no trusted key was given."
NO_TRUTH = "Whether the content is true: it was not changed since it was sealed, that is all."
NO_WITNESS = "Whether everybody sees the same log: no witness has cosigned this state of it."
NO_PDF = "The signature inside the PDF: a reader of signed PDFs checks it."
NO_EVIDENCE = "The evidence behind each place: its strength, R0 to R5, says what it rests on."
NO_OTHERS = "Other requests: this bundle speaks of one."
NO_COUNTS = "The counts by verdict: the records that they were counted from are not here."

def sha256(content):
    return hashlib.sha256(content).hexdigest()

class Refused(Exception):
    """The thing that was to be checked is not what it claims to be."""

def need(holds, thing, expected, observed=""):
    if not holds:
        raise Refused("%s: expected %s%s" % (thing, expected, observed and ", observed " + observed))

# Ed25519 (RFC 8032), points as extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

def add(one, two):
    """Sum of any two points, equal ones too: the formula is complete on this curve."""
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c = 2 * one[3] * two[3] * D % P
    d = 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P

def decompress(encoded):
    y, sign = int.from_bytes(encoded, "little") & (2**255 - 1), encoded[31] >> 7
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 % P * pow(u * v**7 % P, (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (v * x * x - u) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P

BASE = decompress(bytes([0x58]) + bytes([0x66]) * 31)

def ed25519(public, message, signature):
    """Whether the signature is that of the message: [s]B - [h]A encodes to R."""
    if len(public) != 32 or len(signature) != 64:
        return False
    point, s = decompress(public), int.from_bytes(signature[32:], "little")
    if point is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    h = int.from_bytes(digest, "little") % ORDER
    minus = (P - point[0], point[1], 1, P - point[3])
    table = (None, BASE, minus, add(BASE, minus))
    total = (0, 1, 1, 0)
    for bit in range(max(s.bit_length(), h.bit_length()) - 1, -1, -1):
        total = add(total, total)
        chosen = table[(s >> bit & 1) | (h >> bit & 1) << 1]
        total = add(total, chosen) if chosen else total
    x, y = (total[i] * pow(total[2], P - 2, P) % P for i in (0, 1))
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]

# Text forms with one spelling: base64, decimals, lines, canonical JSON.
def unbase64(text, thing):
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        content = None
    need(content is not None and base64.b64encode(content).decode() == text, thing,
         "canonical base64", repr(text[:60]))
    return content

def match(pattern, content, thing, expected):
    """The groups of text that is wholly of one form, in UTF-8 and without control characters."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("%s: expected UTF-8, observed a bad byte at %d" % (thing, error.start))
    found = re.fullmatch(pattern, text, re.ASCII | re.DOTALL)
    need(found and not re.search(r"[\x00-\x09\x0b-\x1f]", text), thing, expected, "another form")
    return found.groups()

def canonical(document):
    """RFC 8785 for what our files hold: no floats, and keys of plain letters."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

def read_json(content, thing):
    try:
        document = json.loads(content, parse_float=bytes, parse_constant=bytes)  # refuses floats
        repeated = canonical(document)
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused("%s: expected canonical JSON, observed %s" % (thing, error))
    need(isinstance(document, dict) and repeated == content, thing, "a canonical JSON object",
         "another encoding")
    return document

# Keys, signed notes, checkpoints (C2SP signed-note, tlog-checkpoint).
class Key:
    def __init__(self, text):
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        material = unbase64(encoded, "verifier key")
        need(name and not re.search(r"[\s\x00-\x1f]", name), "verifier key", "a name", repr(text[:60]))
        need(len(material) == 33 and material[0] == 1, "verifier key", "an Ed25519 key", repr(text[:60]))
        self.name, self.public = name, material[1:]
        self.key_id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
        need(self.key_id.hex() == key_id, "verifier key", "key id " + self.key_id.hex(), key_id)
        self.fingerprint = sha256(self.public)

    def says(self, what):
        return "%s is signed by %s, key fingerprint %s." % (what, self.name, self.fingerprint)

class Head:
    """A checkpoint: origin, size and root of a log, and which trusted keys signed it."""
    def __init__(self, content, keys):
        text, self.origin, size, root, signatures = match(
            r"(([^\n]+)\n" + INTEGER + r"\n(\S{44})\n)\n((?:[^\n]+\n){1,64})", content, "checkpoint",
            "origin, size, root, an empty line and 1 to 64 signatures, a line each")
        self.size, self.root = int(size), unbase64(root, "checkpoint, line 3 (root)")
        need(self.size or self.root == hashlib.sha256().digest(), "checkpoint", "the empty root")
        self.signers = []
        for number, line in enumerate(signatures.split("\n")[:-1], 5):
            self._signature(text.encode(), line, "checkpoint, line %d" % number, keys)
        need(not keys or any(key.name == self.origin for key in self.signers), "checkpoint",
             "a signature by the log " + self.origin)
    def _signature(self, text, line, thing, keys):
        name, value = match("\u2014 ([^\\s+]+) (\\S+)", line.encode(), thing, "a signature line")
        value = unbase64(value, thing)
        found = [k for k in keys if (k.name, k.key_id) == (name, value[:4]) and k not in self.signers]
        need(len(value) > 4 and (found or not keys), thing,
             "one signature by each trusted key and no other line", "%s (%s)" % (name, value[:4].hex()))
        need(not keys or ed25519(found[0].public, text, value[4:]), thing,
             "a signature of this text by " + name, "one that does not verify")
        self.signers += found
    def says(self, what):
        """What is in this state of the log, and who signed that state."""
        said = "%s is in the log %s of %d entries with root %s."
        return [said % (what, self.origin, self.size, self.root.hex())] + self.signed()
    def signed(self):
        return [key.says("That state of the log") for key in self.signers]

# Merkle trees (RFC 9162) and their proofs.
def check_inclusion(entry, index, size, hashes, root):
    need(index < size, "inclusion proof", "an index below %d" % size, str(index))
    node, last, value = index, size - 1, hashlib.sha256(b"\x00" + entry).digest()
    for sibling in hashes:
        need(len(sibling) == 32 and last, "inclusion proof", "fewer hashes for this tree")
        if node & 1 or node == last:
            value = hashlib.sha256(b"\x01" + sibling + value).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\x01" + value + sibling).digest()
        node, last = node >> 1, last >> 1
    need(not last, "inclusion proof", "more hashes for this tree")
    need(value == root, "inclusion proof", "root " + root.hex(), "root " + value.hex())

class LogProof:
    """A .tlog-proof with its entry."""
    def __init__(self, content):
        head, separator, self.checkpoint = content.partition(b"\n\n")
        entry, index, hashes = match(
            r"c2sp\.org/tlog-proof@v1\nextra (\S+)\nindex " + INTEGER + r"\n((?:\S+\n)*)\n",
            head + b"\n" + separator[1:], "proof", "header, extra, index and hashes, a line each")
        self.entry, self.index = unbase64(entry, "proof, line 2 (extra)"), int(index)
        self.hashes = [unbase64(line, "proof, hash") for line in hashes.split()]
    def check(self, head):
        check_inclusion(self.entry, self.index, head.size, self.hashes, head.root)

def check_hour_proof(record, content, hour):
    """The position of a record in its hour."""
    name, index, count, hashes = match(
        r"countersign/hour-proof@v1\nhour (\S+)\nindex %s\ncount %s\n((?:\S+\n)*)" % (INTEGER, INTEGER),
        content, "hour proof", "header, hour, index, count and hashes, a line each")
    at = read_json(record, "record.json")["at"]
    need(hour["type"] == "hour", "log entry", "type hour", hour["type"])
    need((name, count, at[:13] + ":00:00Z") == (hour["hour"], str(hour["count"]), name), "hour proof",
         "hour %s with %s records, as the log entry says" % (hour["hour"], hour["count"]))
    hashes = [unbase64(line, "hour proof, hash") for line in hashes.split()]
    check_inclusion(record, int(index), int(count), hashes, bytes.fromhex(hour["root"]))
    return int(index)

# Bundles: the one valid zip form, the signed statement, the sealed member list.
def read_zip(content):
    members, local, central, at = {}, b"", b"", 0
    while content[at:at + 4] == b"PK\3\4" and at + 30 <= len(content):
        size, length = struct.unpack_from("<LH", content, at + 22)
        name = content[at + 30:at + 30 + length]
        members[name.decode("ascii", "replace")] = content[at + 30 + length:at + 30 + length + size]
        at += 30 + length + size
    need(members, "bundle", "a zip file", repr(content[:4]))
    for name in sorted(members):
        need(re.fullmatch(PLAIN, name, re.ASCII), "bundle member", "a plain name", repr(name[:60]))
        body = members[name]
        sizes = struct.pack("<LLLHH", zlib.crc32(body), len(body), len(body), len(name), 0)
        central += b"PK\1\2" + struct.pack("<HHHHHH", 788, 20, 0, 0, 0, 33) + sizes
        central += struct.pack("<HHHLL", 0, 0, 0, 0o100644 << 16, len(local)) + name.encode()
        local += b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 0, 0, 33) + sizes + name.encode() + body
    count = len(members)
    end = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, count, count, len(central), len(local), 0)
    need(local + central + end == content, "bundle",
         "the one valid form: members stored, sorted, undated, nothing else", "another form")
    return members

def open_statement(envelope, keys):
    document = read_json(envelope, "DSSE envelope")
    need(set(document) == {"payload", "payloadType", "signatures"} and len(document["signatures"]) == 1
         and set(document["signatures"][0]) == {"keyid", "sig"}, "DSSE envelope", "one signature")
    payload = unbase64(document["payload"], "DSSE payload")
    signature, kind = document["signatures"][0], document["payloadType"]
    value = unbase64(signature["sig"], "DSSE signature")
    signers = [key for key in keys if key.fingerprint == signature["keyid"]]
    if keys:
        need(signers, "DSSE envelope", "a signature by a trusted key", "key id " + signature["keyid"])
        message = b"DSSEv1 %d %b %d %b" % (len(kind.encode()), kind.encode(), len(payload), payload)
        need(ed25519(signers[0].public, message, value), "DSSE envelope",
             "a signature that a trusted key made over payload and type", "none that verifies")
    need(kind == "application/vnd.in-toto+json", "DSSE envelope", "type application/vnd.in-toto+json", kind)
    said = json.loads(payload)
    need(said["_type"] == "https://in-toto.io/Statement/v1", "statement", "in-toto Statement v1")
    need(said["predicateType"] == PREDICATE, "statement", "predicate type " + PREDICATE)
    return said, signers[:1]

def check_grades(facts):
    """Grades derived again: the weakest part of the path and of derived state."""
    parts = {"path": [(h["strength"], "hop %d (%s)" % (h["seq"], h["role"])) for h in facts["hops"]],
             "derivedState": [(item["strength"], item["kind"]) for item in facts["derivedState"]]}
    need(all(type(h["seq"]) is int and type(h["role"]) is str for h in facts["hops"]), "hop", "seq, role")
    gaps, said = {gap["part"] for gap in facts["gaps"]}, []
    need(facts["result"]["verdict"] in VERDICTS, "residency verdict", " or ".join(VERDICTS))
    for name, found in parts.items():
        for strength, part in found:
            need(strength in ("R0", "R1", "R2", "R3", "R4", "R5"), "strength", "R0 to R5", strength)
            need(strength != "R0" or part in gaps, "residency gaps", part + ", whose place is unknown")
        strength, part = min(found, key=lambda p: p[0]) if found else (None, "nothing recorded")
        said.append("%s, set by %s" % (strength or "ungraded", part))
        need(facts["result"][name] == {"strength": strength, "setBy": part},
             "residency result, " + name, said[-1], str(facts["result"][name]))
        minimum = facts["policy"]["minimumStrength"][name]
        skipped = facts["result"]["verdict"] != "compliant" or (name == "derivedState" and not found)
        need(skipped or (strength or "") >= minimum, "residency verdict compliant, " + name,
             "evidence of strength %s or more" % minimum, str(strength))
    return "The verdict is %s; the weakest evidence on the path is %s; that of derived state is %s." % (
        facts["result"]["verdict"], said[0], said[1])

def check_repeated(said, content, facts):
    subjects = [subject["digest"].get("sha256") for subject in said["subject"]]
    need(subjects == [sha256(content)], "statement subject", "sha256 %s alone" % sha256(content))
    predicate = {k: v for k, v in said["predicate"].items() if k != "members"}
    need(canonical(predicate) == canonical(facts), "statement predicate", "what the sealed record says")

def check_request(members, said, keys):
    record = read_json(members["record.json"], "record.json")
    scope = {"kind": "request", "tenant": record["tenant"], "receivedAt": record["at"],
             "request": record["request"]}
    facts = {name: record[name] for name in ("policy", "hops", "derivedState", "gaps", "result")}
    check_repeated(said, members["record.json"], dict(facts, scope=scope))
    hour = read_json(members["hour.json"], "hour.json")
    index = check_hour_proof(members["record.json"], members["record.proof"], hour)
    proof = LogProof(members["hour.tlog-proof"])
    head = Head(proof.checkpoint, keys)
    proof.check(head)
    need(proof.entry == members["hour.json"], "hour.tlog-proof", "the entry in hour.json")
    said = "The record of request %s is number %d of %d in hour %s, and the statement repeats it."
    checked = [said % (record["request"], index + 1, hour["count"], hour["hour"])]
    checked += head.says("The hour is log entry %d, which" % proof.index) + [check_grades(facts)]
    return checked, [NO_EVIDENCE, NO_OTHERS], head.signers

def check_window(members, said, keys):
    facts = read_json(members["window.json"], "window.json")
    window = facts["scope"]["window"]
    check_repeated(said, members["window.json"], facts)
    names = ["hours/%sZ.tlog-proof" % item["hour"][:13] for item in facts["hours"]]
    need(names, "hours of the window", "a sealed hour", "none")
    head = Head(LogProof(members[names[0]]).checkpoint, keys)
    for name, item in zip(names, facts["hours"]):
        proof = LogProof(members[name])
        hour = read_json(proof.entry, name)
        found = {field: hour[field] for field in ("hour", "version", "count", "root")}
        found.update(index=proof.index, entry={"sha256": sha256(proof.entry)})
        need(hour["type"] == "hour", name, "type hour", hour["type"])
        need(found == item and LogProof(members[names[0]]).checkpoint == proof.checkpoint, name,
             "the hour that window.json lists, under one checkpoint for all hours", "another")
        proof.check(head)
    first, last = (datetime.datetime.strptime(day, "%Y-%m-%d") for day in window.split("/"))
    need((last - first).days * 24 <= len(names) + len(facts["gaps"]), "hours of the window",
         "each hour proved, or named as a gap")
    every = (first + datetime.timedelta(hours=hour) for hour in range((last - first).days * 24))
    wanted = [hour.strftime("%Y-%m-%dT%H:00:00Z") for hour in every]
    listed, gaps = [item["hour"] for item in facts["hours"]], {gap["part"] for gap in facts["gaps"]}
    need(listed == [h for h in wanted if h in set(listed)], "hours of the window", "each in order")
    for hour in set(wanted) - set(listed):
        need("hour " + hour in gaps, "hour " + hour, "a proof, or a gap that names it")
    total, sealed = facts["requests"]["total"], sum(item["count"] for item in facts["hours"])
    everyone = facts["scope"]["kind"] == "window"
    need(sum(facts["requests"][v] for v in VERDICTS) == total, "requests", "a sum of %d" % total)
    need(total == sealed or (total < sealed and not everyone), "requests",
         "the %d that the hours hold" % sealed)
    checked = ["Every hour of %s is in the log or named as a gap: %d sealed, %d missing." % (
        window, len(listed), len(wanted) - len(listed)),
        "The %d requests are the sum of their verdicts%s." % (total, ", and of the hours" * everyone)]
    return checked + head.says("Each sealed hour"), [NO_COUNTS], head.signers

def verify_bundle(content, keys):
    members = read_zip(content)
    said, signers = open_statement(members["statement.dsse.json"], keys)
    listed = {item["name"]: item["digest"]["sha256"] for item in said["predicate"]["members"]}
    found = {name: sha256(body) for name, body in members.items() if name != "statement.dsse.json"}
    for name in sorted(set(listed) | set(found)):
        need(listed.get(name) == found.get(name), "bundle member " + name,
             "sha256 %s" % listed.get(name), "sha256 %s" % found.get(name))
    check = check_request if said["predicate"]["scope"]["kind"] == "request" else check_window
    checked, skipped, log_signers = check(members, said, keys)
    form = ("The bundle has its one valid form, and its %d other members are those that the "
            "statement lists by digest." % len(found))
    return [form] + [key.says("The statement") for key in signers] + checked, skipped, log_signers

def verify_proof(content, proof_bytes, keys):
    proof = LogProof(proof_bytes)
    head = Head(proof.checkpoint, keys)
    proof.check(head)
    entry = read_json(proof.entry, "log entry")
    need(entry.get("type") in ENTRY_TYPES, "log entry", "type " + " or ".join(ENTRY_TYPES))
    need(sha256(content) == entry.get("sha256"), "file differs from the log",
         "sha256 %s" % entry.get("sha256"), "sha256 " + sha256(content))
    need(len(content) == entry["bytes"], "file differs from the log", "%s bytes" % entry["bytes"])
    checked = ["The file has %d bytes and SHA-256 %s, as log entry %d (%s) says." % (
        len(content), entry["sha256"], proof.index, entry["type"])]
    checked += head.says("Log entry %d" % proof.index)
    return checked, [NO_TRUTH] + [NO_PDF] * content.startswith(b"%PDF"), head.signers

def verify_checkpoint(content, keys):
    head = Head(content, keys)
    said = "The log %s had %d entries with root %s." % (head.origin, head.size, head.root.hex())
    return [said] + head.signed(), [NO_TRUTH], head.signers

def verify(content, proof, keys, is_bundle):
    """Sentences checked, sentences not checked, and who signed; `Refused` when anything differs."""
    try:
        form = verify_bundle if is_bundle or content.startswith(b"PK") else verify_checkpoint
        found = verify_proof(content, proof, keys) if proof is not None else form(content, keys)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise Refused("the file is malformed: %s: %s" % (type(error).__name__, error))
    return found[0], [NO_SIGNER] * (not found[2]) + found[1] + [NO_WITNESS], found[2]

def read_file(path):
    with open(path, "rb") as file:
        return file.read()

def read_keys(references):
    texts = (read_file(r).decode() if os.path.isfile(r) else r for r in references)
    lines = (line.strip() for text in texts for line in text.split("\n"))
    return [Key(line) for line in lines if line and not line.startswith("#")]

def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("proof", nargs="?", help="default: the .tlog-proof beside it")
    parser.add_argument("--key", action="append", default=[], metavar="KEY")
    given = parser.parse_args(arguments)
    path = given.proof or os.path.splitext(given.file)[0] + ".tlog-proof"
    try:
        keys, content = read_keys(given.key), read_file(given.file)
        proof = read_file(path) if given.proof or os.path.isfile(path) else None
    except (OSError, UnicodeDecodeError, Refused) as error:
        print("wrong use: %s" % error, file=sys.stderr)
        return 2
    try:
        checked, skipped, signers = verify(content, proof, keys, given.file.endswith(".zip"))
    except Refused as error:
        print("INVALID: %s" % error)
        return 1
    print("VALID" if signers else "CONSISTENT, signer NOT identified")
    print("\n".join(["checked: " + s for s in checked] + ["not checked: " + s for s in skipped]))
    return 0 if signers else 1

if __name__ == "__main__":
    sys.exit(main())
