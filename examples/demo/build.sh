#!/bin/sh
# Builds the demo's program: out/greet.
set -eu

mkdir -p out
cat >out/greet <<END
#!/bin/sh
echo "$1"
END
chmod +x out/greet
echo "built out/greet"
