"""Writes crates/aws/data/models.bin from botocore's service models.

    scripts/models/update.sh            every service of botocore, and the texts that tests compare with

To renew the models, raise the versions in requirements.txt (and boto3's in scripts/requirements.txt, whose clients the
wire tests compare with) and run the above. All 439 services of botocore 1.44.5 take 3 MB here and 30 MB as JSON text.

What a wire codec does not need (documentation, examples, waiters) is left out. The file:

    8 bytes   b"AWSMODEL"
    4 bytes   format version, little endian
    4 bytes   length of the index, little endian
    index     zstd of a JSON text: {"source", "services": [{name, serviceId, endpointPrefix, signingName,
              targetPrefix, host?, hostRegion?, offset, length, size}]}; offsets count from the end of the index
    frames    one zstd frame a service: the JSON text of {"metadata", "operations", "shapes"}

Each service is found in the index and decoded alone when it is first asked for.
"""

import argparse
import json
import pathlib
import re
import struct

import botocore
import zstandard
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader

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


def strip_reference(reference, shapes):
    stripped = {"shape": reference["shape"], **{k: reference[k] for k in TRAITS if k in reference}}
    # A few shapes bring their name on the wire themselves; a use of one without a name has that.
    for trait in ("locationName", "xmlNamespace"):
        if trait in shapes[reference["shape"]]:
            stripped.setdefault(trait, shapes[reference["shape"]][trait])
    return stripped


def strip_shape(shape, shapes, keep):
    stripped = {k: shape[k] for k in keep if k in shape}
    for part in ("member", "key", "value"):
        if part in shape:
            stripped[part] = strip_reference(shape[part], shapes)
    if "members" in shape:
        stripped["members"] = {name: strip_reference(member, shapes) for name, member in shape["members"].items()}
    return stripped


def strip_operation(operation):
    stripped = {"http": operation["http"]}
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
    checksum = operation.get("httpChecksum", {})
    if operation.get("httpChecksumRequired") or checksum.get("requestChecksumRequired"):
        stripped["checksumRequired"] = True
    if "requestAlgorithmMember" in checksum:
        stripped["checksumMember"] = checksum["requestAlgorithmMember"]
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
        "shapes": {name: strip_shape(s, model["shapes"], keep) for name, s in model["shapes"].items() if name in wanted},
    }
    query_names.restore(service, stripped)
    return stripped


def host(loader, folder, metadata):
    """Where AWS's main partition has a service, if that is not `<prefix>.<region>.amazonaws.com`: `host` may hold
    `{region}`, and `hostRegion` is the region to sign for where it is always the same."""
    rules = loader.load_service_model(folder, "endpoint-rule-set-1")
    provider = EndpointProvider(ruleset_data=rules, partition_data=loader.load_data("partitions"))
    given = {name: about["default"] for name, about in rules["parameters"].items() if "default" in about}

    def resolve(region):
        endpoint = provider.resolve_endpoint(**given, Region=region)
        schemes = endpoint.properties.get("authSchemes", [{}])
        return endpoint.url.removeprefix("https://"), schemes[0].get("signingRegion")

    try:
        (one, one_signs), (other, other_signs) = resolve("eu-west-1"), resolve("ap-southeast-2")
    except EndpointProviderError:
        # The host is made of parameters of each call.
        return {}
    found = {}
    if one.replace("eu-west-1", "{region}") != f"{metadata['endpointPrefix']}.{{region}}.amazonaws.com":
        found["host"] = one if one == other else one.replace("eu-west-1", "{region}")
    if one_signs and one_signs == other_signs:
        found["hostRegion"] = one_signs
    return found


def text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("services", nargs="*", help="names of botocore's data folders; all of them where none is named")
    parser.add_argument("--without-limits", action="store_true", help="leave enum, min, max and pattern out")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()

    # The newest version of each, with what the SDKs add to it.
    loader = Loader()
    folders = sorted(options.services) or loader.list_available_services("service-2")
    keep = TRAITS if options.without_limits else TRAITS + LIMITS
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)

    services, frames, offset = [], [], 0
    for folder in folders:
        model = strip(folder, loader.load_service_model(folder, "service-2"), keep)
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
                **host(loader, folder, metadata),
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
