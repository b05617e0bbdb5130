"""Writes crates/aws/data/models.bin from botocore's service models.

    scripts/models/update.sh sqs sns batch lambda stepfunctions sts
    scripts/models/update.sh --all

What a wire codec does not need (documentation, examples, waiters) is left out. The file:

    8 bytes   b"AWSMODEL"
    4 bytes   format version, little endian
    4 bytes   length of the index, little endian
    index     zstd of a JSON text: {"source", "services": [{name, serviceId, endpointPrefix, signingName,
              targetPrefix, offset, length, size}]}; offsets count from the end of the index
    frames    one zstd frame a service: the JSON text of {"metadata", "operations", "shapes"}

Each service is found in the index and decoded alone when it is first asked for.
"""

import argparse
import gzip
import json
import pathlib
import re
import struct

import botocore
import zstandard

import query_names

FORMAT = 1
MAGIC = b"AWSMODEL"
LEVEL = 19

METADATA = (
    "apiVersion",
    "endpointPrefix",
    "globalEndpoint",
    "jsonVersion",
    "protocol",
    "protocols",
    "serviceId",
    "signingName",
    "targetPrefix",
)
OPERATION_FLAGS = ("deprecated", "authtype")
# What a shape, or a reference to one, may carry that is seen on the wire or helps a caller.
TRAITS = (
    "document",
    "error",
    "event",
    "eventheader",
    "eventpayload",
    "eventstream",
    "exception",
    "fault",
    "flattened",
    "hostLabel",
    "idempotencyToken",
    "jsonvalue",
    "location",
    "locationName",
    "payload",
    "queryName",
    "required",
    "sensitive",
    "streaming",
    "timestampFormat",
    "type",
    "union",
    "xmlAttribute",
    "xmlNamespace",
)
# What only validation of parameters needs: with it the file of all services grows by about a quarter.
LIMITS = ("enum", "max", "min", "pattern")


def sdk_name(service_id):
    """The name in `arn:aws:states:::aws-sdk:<name>:…`: the service id without separators, in lower case."""
    return re.sub(r"[^a-z0-9]", "", service_id.lower())


def strip_reference(reference):
    return {"shape": reference["shape"], **{k: reference[k] for k in TRAITS if k in reference}}


def strip_shape(shape, keep):
    stripped = {k: shape[k] for k in keep if k in shape}
    for part in ("member", "key", "value"):
        if part in shape:
            stripped[part] = strip_reference(shape[part])
    if "members" in shape:
        stripped["members"] = {name: strip_reference(member) for name, member in shape["members"].items()}
    return stripped


def strip_operation(operation):
    stripped = {"name": operation["name"], "http": operation["http"]}
    for part in ("input", "output"):
        if part in operation:
            stripped[part] = {
                k: operation[part][k]
                for k in ("shape", "resultWrapper", "locationName", "xmlNamespace", "payload")
                if k in operation[part]
            }
    if operation.get("errors"):
        stripped["errors"] = [error["shape"] for error in operation["errors"]]
    if "hostPrefix" in operation.get("endpoint", {}):
        stripped["hostPrefix"] = operation["endpoint"]["hostPrefix"]
    for flag in OPERATION_FLAGS:
        if flag in operation:
            stripped[flag] = operation[flag]
    return stripped


def reachable(model):
    """Names of the shapes that an operation or an error uses."""
    shapes, seen = model["shapes"], set()
    waiting = [name for name, shape in shapes.items() if shape.get("exception")]
    for operation in model["operations"].values():
        waiting += [operation[part]["shape"] for part in ("input", "output") if part in operation]
        waiting += [error["shape"] for error in operation.get("errors", [])]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        shape = shapes[name]
        waiting += [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
        waiting += [member["shape"] for member in shape.get("members", {}).values()]
    return seen


def strip(service, model, keep):
    metadata = {k: model["metadata"][k] for k in METADATA if k in model["metadata"]}
    namespace = model["metadata"].get("xmlNamespace")
    if namespace:
        metadata["xmlNamespace"] = namespace if isinstance(namespace, str) else namespace["uri"]
    if "awsQueryCompatible" in model["metadata"]:
        metadata["queryCompatible"] = True
    wanted = reachable(model)
    stripped = {
        "metadata": metadata,
        "operations": {name: strip_operation(op) for name, op in model["operations"].items()},
        "shapes": {name: strip_shape(s, keep) for name, s in model["shapes"].items() if name in wanted},
    }
    query_names.restore(service, stripped)
    return stripped


def newest(folder):
    versions = sorted(path for path in folder.iterdir() if (path / "service-2.json.gz").exists())
    return versions[-1] / "service-2.json.gz" if versions else None


def text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("services", nargs="*", help="names of botocore's data folders")
    parser.add_argument("--all", action="store_true", help="every service that botocore has")
    parser.add_argument("--without-limits", action="store_true", help="leave enum, min, max and pattern out")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()

    data = pathlib.Path(botocore.__file__).parent / "data"
    folders = sorted(p.name for p in data.iterdir() if p.is_dir()) if options.all else sorted(options.services)
    keep = TRAITS if options.without_limits else TRAITS + LIMITS
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)

    services, frames, offset = [], [], 0
    for folder in folders:
        path = newest(data / folder)
        if path is None:
            continue
        model = strip(folder, json.loads(gzip.decompress(path.read_bytes())), keep)
        raw = text(model)
        frame = compressor.compress(raw)
        metadata = model["metadata"]
        services.append(
            {
                "name": sdk_name(metadata["serviceId"]),
                "serviceId": metadata["serviceId"],
                "endpointPrefix": metadata["endpointPrefix"],
                "signingName": metadata.get("signingName", metadata["endpointPrefix"]),
                "targetPrefix": metadata.get("targetPrefix"),
                "offset": offset,
                "length": len(frame),
                "size": len(raw),
            }
        )
        frames.append(frame)
        offset += len(frame)

    index = compressor.compress(text({"source": f"botocore {botocore.__version__}", "services": services}))
    head = MAGIC + struct.pack("<II", FORMAT, len(index))
    options.out.write_bytes(head + index + b"".join(frames))
    total, plain = options.out.stat().st_size, sum(s["size"] for s in services)
    print(f"{options.out}: {len(services)} services, {total:,} bytes ({plain:,} as JSON text)")


if __name__ == "__main__":
    main()
