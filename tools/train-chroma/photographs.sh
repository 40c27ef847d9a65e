#!/bin/sh
# Fetches and unpacks the Debian packages that photographs.toml lists, into one folder:
#   sh tools/train-chroma/photographs.sh FOLDER
# Nothing is installed. The packages stay in FOLDER/packages; about 300 MB.
set -eu
folder=${1:?usage: photographs.sh FOLDER}
list=$(dirname "$0")/photographs.toml
mkdir -p "$folder/packages"
sed -n 's/^name = "\(.*\)"$/\1/p' "$list" | while read -r package; do
    ls "$folder/packages/${package}"_*.deb > /dev/null 2>&1 || (cd "$folder/packages" && apt-get download "$package")
    dpkg -x "$folder/packages/${package}"_*.deb "$folder"
done
missing=0
for file in $(sed -n 's/^    "\(.*\)",$/\1/p' "$list"); do
    [ -f "$folder/$file" ] || { echo "missing: $file" >&2; missing=1; }
done
exit $missing
