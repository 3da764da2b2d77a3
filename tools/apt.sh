# shellcheck shell=bash
# Sourced by the scripts of this folder: installs Debian packages, and fetches
# source archives from Debian. The caller sets `me`, its name in messages.
#
# Mirrors, keys and proxies are those of the machine's own apt configuration.

say() { printf '%s: %s\n' "${me:?}" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

is_debian() {
  command -v apt-get >/dev/null && grep -qxE 'ID="?debian"?' /etc/os-release 2>/dev/null
}

# Ends with a message if nothing can be done as root.
need_root() {
  ((EUID == 0)) && return
  command -v sudo >/dev/null && sudo -n true 2>/dev/null && return
  die "installing needs root, or sudo that asks for no password; or install as root: $*"
}

as_root() {
  if ((EUID == 0)); then
    DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo -n DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

# quietly COMMAND...: shows the output only if the command fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || tail -n 20 "$log" >&2
  rm -f "$log"
  return "$status"
}

# Others may be installing too (unattended upgrades, a second checkout): wait.
apt_install() {
  as_root apt-get -qq -y -o DPkg::Lock::Timeout=600 \
    install --no-install-recommends "$@" </dev/null
}

update_lists() {
  say "update the lists of packages (apt-get update)"
  # One broken vendor entry must not stop us: whether what we need is there is
  # seen when it is installed.
  quietly as_root apt-get -qq update || say "apt-get update had errors (above); going on"
}

# install_missing FILE=PACKAGE...: installs the packages whose FILE isn't there.
# FILE may be a pattern.
install_missing() {
  local entry packages=()
  for entry in "$@"; do
    compgen -G "${entry%%=*}" >/dev/null || packages+=("${entry#*=}")
  done
  ((${#packages[@]})) || return 0
  is_debian || die "missing here: ${packages[*]} (names of Debian packages); install them by hand"
  need_root "${packages[@]}"
  for entry in "${packages[@]}"; do say "install $entry"; done
  # Updates only when the lists are missing or too old for an install.
  local known
  known=$(apt-cache policy "${packages[@]}" | grep -cE '^  Candidate: [^(]' || true)
  if ((known < ${#packages[@]})); then
    update_lists
  elif apt_install "${packages[@]}" >/dev/null 2>&1; then
    return 0
  else
    update_lists
  fi
  quietly apt_install "${packages[@]}" ||
    die "apt-get could not install ${packages[*]} (its last lines are above)"
}

# Writes the machine's Debian entries (both of apt's formats) as deb-src entries
# into folder $1. Entries of vendors mostly have no sources and would only fail.
write_source_entries() {
  local to=$1 list parts codename file
  eval "$(apt-config shell list Dir::Etc::SourceList/f parts Dir::Etc::SourceParts/d)"
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-stable}")
  for file in "$list" "$parts"/*.list; do
    [[ -r $file ]] || continue
    # deb [options] URI suite component...
    awk -v ours="^($codename|stable|oldstable)(-|/|$)" '
      $1 == "deb" || $1 == "deb-src" {
        line = $0
        sub(/^[ \t]*deb(-src)?[ \t]+/, "", line)
        sub(/#.*/, "", line)
        rest = line
        sub(/^\[[^]]*\][ \t]*/, "", rest)
        n = split(rest, word)
        for (i = 3; i <= n; ++i)
          if (word[2] ~ ours && word[i] == "main") print "deb-src " line
      }' "$file" >>"$to/machine.list"
  done
  for file in "$parts"/*.sources; do
    [[ -r $file ]] || continue
    # Paragraphs of "Name: values", where a line that begins with a blank goes on
    # with the one before (keys may stand in the file).
    awk -v ours="(^|[ \t])($codename|stable|oldstable)(-[a-z-]+)?([ \t]|$)" '
      function flush() {
        if (suite && main) print "Types: deb-src\n" text
        text = ""; suite = 0; main = 0
      }
      /^#/ { next }
      /^[ \t]*$/ { flush(); next }
      tolower($1) == "types:" { next }
      tolower($1) == "suites:" { if ($0 ~ ours) suite = 1 }
      tolower($1) == "components:" { if ($0 ~ /(^|[ \t])main([ \t]|$)/) main = 1 }
      { text = text $0 "\n" }
      END { flush() }' "$file" >>"$to/machine.sources"
  done
}

# fetch_source FOLDER PACKAGE UPSTREAM_VERSION SHA256 NAME, repeatedly: takes
# upstream's archive out of Debian's source package into FOLDER/NAME. Needs no
# root and changes nothing outside FOLDER: apt gets folders of its own.
fetch_sources() {
  local folder=$1 work
  shift
  is_debian || die "$folder lacks source archives, and only Debian's apt can fetch them here"
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  mkdir -p "$work"/{parts,lists/partial,cache/archives/partial}
  write_source_entries "$work/parts"
  local options=(-qq
    -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/parts"
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache"
    -o "Acquire::Languages=none" -o "APT::Sandbox::User=$(id -un)")
  quietly apt-get "${options[@]}" update ||
    say "reading the lists of source packages had errors (above); going on"
  while (($#)); do
    fetch_one_source "$folder" "$work" "${@:1:4}"
    shift 4
  done
  rm -rf "$work"
  trap - EXIT
}

fetch_one_source() {
  local folder=$1 work=$2 package=$3 upstream=$4 sha256=$5 name=$6 version
  [[ -e $folder/$name ]] && return
  say "fetch $package $upstream (Debian's source package) into ${folder##*/}/$name"
  # Any Debian revision will do: they share upstream's archive.
  version=$(apt-cache "${options[@]}" --only-source showsrc "$package" 2>/dev/null |
    awk -v want="$upstream-" '$1 == "Version:" && index($2, want) == 1 { print $2; exit }')
  [[ $version ]] || die "Debian's sources of this machine have no $package $upstream" \
    "(the set-up is made for Debian 12); install Bazelisk instead, which needs no such archive"
  (cd "$work" && quietly apt-get "${options[@]}" source --download-only --tar-only \
    --only-source "$package=$version") || die "could not fetch $package (apt's last lines are above)"
  local got=("$work/${package}_$upstream".orig.tar.*)
  printf '%s  %s\n' "$sha256" "${got[0]}" | sha256sum --check --status ||
    die "${got[0]##*/} is not the archive that tools/deps.bzl pins (sha256 differs)"
  # Whole or not at all: others may look at the same time.
  cp "${got[0]}" "$folder/.$name.part"
  mv "$folder/.$name.part" "$folder/$name"
}
