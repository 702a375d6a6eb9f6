# Sourced by the playbooks; runs in bash 3.2 too. They need `pinfold` and nothing else.
# shellcheck shell=bash

pinfold=${PINFOLD:-pinfold}
[ $# = 1 ] || {
  echo "usage: ${0##*/} FOLDER (which must not exist; PINFOLD=path/to/pinfold)" >&2
  exit 2
}
# Its path is meant from here.
case $pinfold in
  */*) pinfold=$(cd "$(dirname "$pinfold")" && pwd)/${pinfold##*/} ;;
esac
mkdir "$1"
cd "$1" || exit

stream=com.example.bank/prod
app=android:com.example.bank
# The days are fixed, so that what happens is the same every day.
start=2026-11-10T00:00:00Z
today=2026-11-21T12:00:00Z

step() { printf '\n» %s\n' "$*"; }

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# run ARGUMENT…: pinfold, which must succeed.
run() { expect 0 '' "$@"; }

# expect CODE TEXT ARGUMENT…: pinfold must end with the code and print the text.
expect() {
  local code=$1 text=$2 found=0 output
  shift 2
  echo "  pinfold $*"
  output=$("$pinfold" "$@" 2>&1) || found=$?
  [ -z "$output" ] || printf '%s\n' "$output" | while read -r line; do echo "    $line"; done
  [ "$found" = "$code" ] || fail "exit code $found where $code was expected: pinfold $*"
  case $output in
    *"$text"*) ;;
    *) fail "does not say \"$text\": pinfold $*" ;;
  esac
}

# key ID: a key pair in ID.pem and ID.pem.pub.
key() { run keygen --out "$1.pem" --id "$1"; }

# pin NAME: the pin of the key in NAME.pem.pub, as documents write it.
pin() {
  local line
  line=$("$pinfold" pin "$1.pem.pub")
  line=${line#sha256/}
  echo "${line%% *}"
}

# entry NAME STATE [AT]: a pin of a host.
entry() {
  printf '{"sha256":"%s","state":"%s","at":"%s","label":"%s"}' "$(pin "$1")" "$2" "${3:-leaf}" "$1"
}

# pinset VERSION EPOCH PINS [MEMBERS]: pinset-EPOCH-VERSION.json for api.example.com. MEMBERS are
# further members of the document, MODE the host's mode.
pinset() {
  cat >"pinset-$2-$1.json" <<EOF
{
  "schema": 1, "crit": [], "stream": "$stream", "aud": ["$app"],
  "version": $1, "epoch": $2,
  "issued": "$start", "expires": "2027-01-09T00:00:00Z", "grace_days": 60,
  ${4:+$4,}
  "hosts": [{ "host": "api.example.com", "mode": "${MODE:-enforce}", "pins": [$3] }]
}
EOF
}

# sign_pinset VERSION EPOCH KEY ROOT: pinset-EPOCH-VERSION.dsse.json.
sign_pinset() {
  run sign --type pinset --in "pinset-$2-$1.json" --key "$3.pem" --id "$3" --root "$4" \
    -o "pinset-$2-$1.dsse.json"
}

# sign_root FILE KEY…
sign_root() {
  local file=$1 id
  shift
  for id; do
    run sign --in "$file" --key "$id.pem" --id "$id"
  done
}

# verify BUNDLE TEXT: every app in the field must take it and be where the text says.
verify() { expect 0 "$2" verify --embedded app-*.json --bundle "$1" --at "$today"; }

# publish BUNDLE
publish() {
  expect 0 published publish --embedded app-*.json --bundle "$1" --to site --at "$today"
}

# begin PINS: keys, the first root by two of three keys, the first pin set, an app that ships with
# them, and the first publication.
begin() {
  local id
  step "the ceremony: three root keys, of which two must sign, and one for pin sets"
  for id in root-a root-b root-c pin-1; do
    key "$id"
  done
  run root init --stream "$stream" --threshold 2 --key root-a=root-a.pem.pub \
    --key root-b=root-b.pem.pub --key root-c=root-c.pem.pub --pinset-key pin-1=pin-1.pem.pub \
    --hosts example.com --max-validity-days 120 --max-grace-days 90 --issued "$start" -o root-1.json
  sign_root root-1.json root-a root-b
  step "the first pin set, and an app that ships with it"
  pinset 1 0 "$1"
  sign_pinset 1 0 pin-1 root-1.json
  run embed --root root-1.json --pinset pinset-0-1.dsse.json --audience "$app" \
    --update-url https://pins.example.com/v1/bundle.json --built "$start" -o app-1.json
  mkdir site
  run bundle --root root-1.json --pinset pinset-0-1.dsse.json -o bundle-1.json
  verify bundle-1.json "root 1, epoch 0, pin set 1, fresh"
  publish bundle-1.json
}

# pinned FILE NAME…: each name's key must be among the pins.
pinned() {
  local file=$1 name
  shift
  for name; do
    case $(<"$file") in
      *"$(pin "$name")"*) echo "  $file pins $name" ;;
      *) fail "$file does not pin $name" ;;
    esac
  done
}
