#!/bin/sh
# Rebuilds crates/aws/data/models.bin and the wire texts that its tests compare with. For maintainers: needs the network.
# Arguments are passed to generate.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv="$root/target/models-venv"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet -r "$here/requirements.txt"
"$venv/bin/python" "$here/generate.py" --out "$root/crates/aws/data/models.bin" "$@"
"$venv/bin/python" "$here/golden.py" --out "$root/crates/aws/tests/data"
