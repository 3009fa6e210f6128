# Before a node starts. Kubernetes shows secrets to a group, and gives a volume's files to it; a node wants its own to be its own.
set -eu
umask 077
mkdir -p "$ELASTIC_DATA_DIR"
chmod -R go= "$ELASTIC_DATA_DIR"
cp /secrets/ops/ops-token "$ELASTIC_DATA_DIR/ops-token.new"
mv "$ELASTIC_DATA_DIR/ops-token.new" "$ELASTIC_DATA_DIR/ops-token"
# The first seed is the cluster's authority: the others, and the workers, get their certificates from it.
if [ "${POD_NAME:-}" = elastic-seed-0 ] && [ ! -e "$ELASTIC_DATA_DIR/certs/authority.key" ]; then
  /app/elastic certs init
fi
