# shellcheck shell=bash
# Sourced by the other scripts: which Python, and the environments they run in.
#
# An environment is made whole or it is made again. Its stamp, written last, says from what it was made: the lock, the
# part of pyproject.toml that is installed, the interpreter, and the folder (environments cannot be moved). A stamp that
# says anything else, or that is `unfinished`, means a new environment. One run makes it and others wait: the lock is a
# flock on descriptor 9, which the kernel releases however the run ends.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly root

say() { printf '%s\n' "$*" >&2; }

fail() { # fail <message> <hint>
  say "error: $1"
  say "hint: $2"
  exit 1
}

is_usable() { # is_usable <python>: 3.11 or newer, and able to make environments (Debian ships that apart)
  "$1" -I -c 'import sys; assert sys.version_info >= (3, 11); import ensurepip, venv' >/dev/null 2>&1
}

find_python() { # prints the interpreter to use
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    is_usable "$PYTHON" || fail "\`PYTHON=$PYTHON\` is not a Python >= 3.11 with venv and ensurepip" "unset PYTHON, or let it name another one"
    printf '%s\n' "$PYTHON"
    return
  fi
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    if is_usable "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "no Python >= 3.11 with venv and ensurepip on the PATH" \
    "install one (\`apt install python3 python3-venv\`, \`brew install python\`), or name it: PYTHON=/path/to/python3 $0"
}

# What pyproject.toml asks to be locked, as one digest: the lock files carry it, so that check sees a stale one.
locked_inputs() { # locked_inputs <python>
  "$1" -I - "$root/pyproject.toml" <<'PYTHON'
import hashlib, json, sys, tomllib

with open(sys.argv[1], "rb") as file:
    document = tomllib.load(file)
project = document["project"]
inputs = [document["build-system"]["requires"], project["requires-python"], project["dependencies"], document["dependency-groups"]]
print(hashlib.sha256(json.dumps(inputs).encode()).hexdigest())
PYTHON
}

stamp_of() { # stamp_of <python> <lock file>
  "$1" -I - "$root" "$2" <<'PYTHON'
import hashlib, json, pathlib, re, sys, tomllib

root = pathlib.Path(sys.argv[1])
document = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
installed = [document["build-system"], document["project"], document["tool"]["flit"]]
version = re.findall(r"(?m)^__version__ = .*", (root / "gateway/__init__.py").read_text("utf-8"))
inputs = [sys.argv, sys.version, sys.base_prefix, installed, version]
digest = hashlib.sha256(json.dumps(inputs).encode())
for name in (sys.argv[2], "scripts/env.sh"):
    digest.update((root / name).read_bytes())
print(digest.hexdigest())
PYTHON
}

lock_environment() { # lock_environment <python> <folder>: until `exec 9>&-`
  exec 9>"$root/$2.lock"
  "$1" -I - "$2" <<'PYTHON'
import fcntl, sys

try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print(f"waiting for another run that is making {sys.argv[1]}", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
PYTHON
}

make_environment() { # make_environment <python> <folder> <lock file>
  local venv="$root/$2"
  local pip=("$venv/bin/python" -I -m pip --disable-pip-version-check -qq)
  say "making $2 with $("$1" -V) from $3 (once; less than a minute)"
  rm -rf "$venv"
  mkdir "$venv"
  echo unfinished >"$venv/stamp"
  "$1" -I -m venv "$venv" || fail "\`$1 -m venv\` failed" "see above; another interpreter: PYTHON=/path/to/python3"
  # Only wheels: what building a source distribution downloads would not be held to the hashes.
  "${pip[@]}" install --require-hashes --only-binary :all: -r "$root/$3" ||
    fail "the packages of $3 could not be installed" "see above; this needs the network once, and a platform with wheels for all of them"
  "${pip[@]}" install --no-deps --no-build-isolation --editable "$root" ||
    fail "the package itself could not be installed" "see above; pyproject.toml and the files it names must be there"
}

environment() { # environment <folder> <lock file>: makes the folder if it is not up to date
  local python stamp venv="$root/$1"
  case "$(uname -s)" in
    MINGW* | MSYS* | CYGWIN*) fail "the scripts need Linux or macOS" "on Windows use them in WSL; the package itself needs only pip" ;;
  esac
  python=$(find_python)
  lock_environment "$python" "$1"
  stamp=$(stamp_of "$python" "$2")
  if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$stamp" ] || ! "$venv/bin/python" -I -c '' 2>/dev/null; then
    if [ -d "$venv" ] && [ ! -e "$venv/stamp" ] && [ -n "$(ls -A "$venv")" ]; then
      fail "\`$1\` is there, but was not made by these scripts" "move it away, or delete it"
    fi
    make_environment "$python" "$1" "$2"
    printf '%s\n' "$stamp" >"$venv/stamp"
  fi
  exec 9>&-
}
