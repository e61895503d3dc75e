# Of the answer of `podman images --all --format json`, the IDs of those that former builds of the tests'
# images have left, children before their parents, one a line: without what the present builds went through, and
# without what an image that stays was made from.
#
# Others work with the same storage. So an image counts only where it was built here: its label says so, which what is
# made from it inherits; it has no name, and never had one but podman's for a build's steps, or one of localhost/. What
# a job has pulled had the name of a registry. And only where it is older than a test, or a build that goes on.
#
# --arg key NAME          of the label
# --argjson before TIME   when the youngest that count were made, in seconds since 1970
# --rawfile used FILE     a line for each image of the present builds: the beginning of its ID

INDEX(.Id) as $images
| ($used | split("\n") | map(select(. != ""))) as $used
| def own: test("^docker\\.io/library/[0-9a-f]{64}-tmp:latest$|^localhost/");
  def used: .Id as $id | any($used[]; . as $beginning | $id | startswith($beginning));
  def left: (.Names // []) == [] and all(.History[]?; own) and (.Labels // {} | has($key))
    and .Created < $before and (.Containers // 0) == 0 and (used | not);
  def line: recurse($images[.ParentId // ""] // empty); # itself, its parent, that one's parent
  (map(select(left | not) | line | .Id) | unique) as $stay
  | map(select(.Id | IN($stay[]) | not)) | sort_by(-([line] | length))[].Id
