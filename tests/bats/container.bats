# Isolation level container: a root file system of its own, from a directory or an image.
load helper

images() { echo "$BATS_TEST_DIRNAME/images/$1"; }
box() { fabric sandbox run --work none "$@"; }
as_user() { setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all "$@"; }
# A root file system of busybox alone.
make_root() {
  mkdir -p "$1"/bin "$1"/etc "$1"/srv/open "$1"/usr/bin "$1"/var
  cp "$(command -v busybox)" "$1"/bin/busybox
  local name
  for name in sh cat chmod cp echo env id ls mkdir mount pwd rm sleep stat touch dd head; do
    ln -s busybox "$1/bin/$name"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\ndev:x:1234:1234::/home/dev:/bin/sh\n' >"$1"/etc/passwd
  chmod 777 "$1"/srv/open
}
make_image() { python3 "$(images make_image.py)" "$@"; }
listing() { (cd "$1" && find . -printf '%p %y %m %u %s %T@ %l\n' | sort); }

roots() {
  export XDG_CACHE_HOME="$BATS_TEST_TMPDIR/cache"
  chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test "$BATS_TEST_TMPDIR"
  R="$BATS_TEST_TMPDIR/root"
  make_root "$R"
}

@test "--root DIRECTORY is the root inside, and nothing of it changes" {
  requires root namespaces
  roots
  listing "$R" >"$BATS_TEST_TMPDIR"/before
  run box --root "$R" -- sh -c 'ls /; echo changed >/srv/open/file; cat /srv/open/file; ls /dev /proc/1/status'
  expect_status 0
  expect_match "$output" 'changed'
  expect_match "$output" 'urandom'
  run box --root "$R" -- sh -c 'cat /etc/hostname /root/.profile /work/../home/* 2>&1; ls /home /usr/lib'
  expect_match "$output" 'No such file'
  listing "$R" | diff "$BATS_TEST_TMPDIR"/before -
}

@test "no id of root is inside, and none that another sandbox has" {
  requires root namespaces
  roots
  run box --root "$R" -- sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u'
  expect_status 0
  local inside outside count
  while read -r inside outside count; do
    [ -n "$count" ] || continue
    [ "$outside" -ge 1610612736 ] || { echo "$inside is $outside outside"; return 1; }
  done <<<"$output"
  expect_match "$output" '1000$'
  "$FABRIC" sandbox run --work none --timeout 30s --root "$R" -- \
    sh -c 'cat /proc/self/uid_map; sleep 1000' >"$BATS_TEST_TMPDIR"/first 3>&- &
  local first=$!
  wait_until 10 test -s "$BATS_TEST_TMPDIR"/first
  local other
  other=$(box --root "$R" -- cat /proc/self/uid_map)
  kill $first
  [ "$other" != "$(cat "$BATS_TEST_TMPDIR"/first)" ]
}

@test "what an agent changes in its root is kept, is its own, and belongs to no user of the host" {
  requires root namespaces
  roots
  make_image docker "$BATS_TEST_TMPDIR"/i.tar '{"Env":["PATH=/bin"]}' "$R"
  fabric spawn a --root "$BATS_TEST_TMPDIR"/i.tar -- sh -c \
    'cat /bin/mine 2>/dev/null || { echo new >/bin/mine; cp /bin/busybox /bin/suid; chmod 4755 /bin/suid; id -u; }' 2>/dev/null
  run --separate-stderr fabric run a
  expect_equal "$output" 0
  fabric down 2>/dev/null
  fabric up --detach 2>/dev/null
  run --separate-stderr fabric run a
  expect_equal "$output" new
  local file
  file=$(find .fabric/agents/a/changes -name suid)
  expect_equal "$(stat -c '%a %u' "$file")" '755 1610547200'
  fabric spawn b --root "$BATS_TEST_TMPDIR"/i.tar -- sh -c 'ls /bin/mine' 2>/dev/null
  run fabric run b
  expect_match "$output" 'No such file'
}

@test "what an agent changes in its root counts to its disk limit" {
  requires root namespaces
  roots
  fabric spawn a --root "$R" --disk 8M -- sh -c 'dd if=/dev/urandom of=/srv/open/big bs=1M count=64; sleep 20' 2>/dev/null
  run fabric run a
  [ "$status" -ne 0 ]
  run fabric status a
  run fabric tasks --json=reason
  expect_match "$output" 'disk'
}

@test "rules about paths, secrets and the work directory hold as at level process" {
  requires root namespaces
  roots
  mkdir given host; echo host >given/file; echo old >"$R"/srv/open/fixed; chmod 666 "$R"/srv/open/fixed
  echo hidden >"$R"/srv/secret
  printf key >key
  run box --root "$R" -- sh -c 'cat /srv/secret; echo new >/srv/open/fixed; cat /srv/open/fixed; mkdir /srv/open/later && echo made'
  expect_match "$output" 'hidden.*new.*made'
  run box --root "$R" --hide /srv/secret --no-write /srv/open/fixed --hide /srv/open/later --ro given:/data \
    --rw host:/more --secret key=file:key -- sh -c 'cat /srv/secret; echo new >/srv/open/fixed; cat /srv/open/fixed
      echo x >/srv/open/later/f; rm -r /srv/open/later; cat /data/file; echo x >/data/file; echo x >/more/out
      cat /run/secrets/key; echo x >/run/secrets/key; touch /usr/x'
  refute_match "$output" 'hidden'
  expect_match "$output" 'old'
  expect_match "$output" 'host'
  expect_match "$output" 'key'
  expect_match "$output" 'can.t create /data/file'
  expect_match "$output" 'can.t create /srv/open/later/f'
  expect_match "$output" 'can.t create /run/secrets/key'
  expect_match "$output" '/usr/x: '
  expect_equal "$(stat -c %u host/out)" 0
}

refute_match() { [[ ! $1 =~ $2 ]] || { printf "got: %s\nmatches: %s\n" "$1" "$2" >&2; return 1; }; }

@test "rules with patterns and through links of the root" {
  requires root namespaces
  roots
  mkdir -p "$R"/srv/a/b "$R"/run/data; echo hidden >"$R"/srv/a/b/.env; ln -s /run "$R"/var/run
  mkdir given; echo given >given/file
  run box --root "$R" -- cat /srv/a/b/.env
  expect_equal "$output" hidden
  run box --root "$R" --hide '/srv/**/.env' --hide /var/run/later --ro given:/var/run/data -- \
    sh -c 'cat /srv/a/b/.env; ls -A /run; cat /run/data/file; echo x >/run/later/x'
  refute_match "$output" 'hidden'
  expect_match "$output" 'given'
  expect_match "$output" 'later'
  expect_match "$output" 'can.t create /run/later/x'
  run box --root "$R" --hide /dev/null -- true
  expect_status 125
}

@test "a root belongs to level container, and that level to a root" {
  requires root namespaces
  roots
  run fabric spawn a --isolation process --root "$R" -- true
  expect_status 2
  run fabric sandbox run --isolation process --root "$R" -- true
  expect_status 125
  run fabric spawn a --isolation container -- true
  expect_status 2
  expect_match "$output" '--root'
  run fabric spawn a --root / -- true
  expect_status 2
  run fabric sandbox run --root "$R"/bin/nothing -- true
  expect_status 125
  run fabric sandbox run --root "$R"
  expect_status 125
  expect_match "$output" 'no command'
}

@test "as an ordinary user" {
  requires root namespaces
  roots
  chown -R 1001:1001 "$R"
  mkdir "$BATS_TEST_TMPDIR"/user; chown 1001 "$BATS_TEST_TMPDIR"/user
  user_box() { as_user env HOME="$BATS_TEST_TMPDIR"/user XDG_CACHE_HOME="$BATS_TEST_TMPDIR"/user "$FABRIC" sandbox run --memory none --cpu none --pids none --work none "$@"; }
  run user_box --root "$R" -- sh -c 'id -u; cat /proc/self/uid_map; echo x >/srv/open/f && cat /srv/open/f; touch /etc/x'
  expect_match "$output" '1000'
  expect_match "$output" '1000 +1001 +1'
  expect_match "$output" '/etc/x: '
  [ ! -e "$R"/srv/open/f ]
  make_image oci-tar+gzip "$BATS_TEST_TMPDIR"/i.tar '{"Env":["PATH=/bin"],"User":"dev","Cmd":["id","-u"]}' "$R"
  run user_box --root "$BATS_TEST_TMPDIR"/i.tar
  expect_status 0
  expect_equal "$output" 1234
  as_user rm -r "$BATS_TEST_TMPDIR"/user/fabric
}

@test "an image says environment, directory, user and command; layers cover and remove" {
  requires root namespaces
  roots
  mkdir -p "$BATS_TEST_TMPDIR"/second/home/dev "$BATS_TEST_TMPDIR"/second/srv "$BATS_TEST_TMPDIR"/second/var "$R"/var/old
  echo gone >"$R"/srv/gone; echo old >"$R"/srv/file; echo gone >"$R"/var/old/f; chmod 4755 "$R"/bin/busybox
  touch "$BATS_TEST_TMPDIR"/second/srv/.wh.gone "$BATS_TEST_TMPDIR"/second/var/.wh..wh..opq
  echo new >"$BATS_TEST_TMPDIR"/second/srv/file; echo mine >"$BATS_TEST_TMPDIR"/second/home/dev/f
  make_image docker "$BATS_TEST_TMPDIR"/i.tar \
    '{"Env":["PATH=/bin","COLOR=blue"],"WorkingDir":"/srv","User":"dev","Entrypoint":["sh","-c"],"Cmd":["id -un; pwd; echo $COLOR $OWN; ls /srv /var; cat file; stat -c %u:%a /home/dev/f /bin/busybox"]}' \
    "$R" "$BATS_TEST_TMPDIR"/second
  run --separate-stderr box --env OWN=1 --root "$BATS_TEST_TMPDIR"/i.tar
  expect_status 0
  expect_equal "$output" $'dev\n/srv\nblue 1\n/srv:\nfile\nopen\n\n/var:\nnew\n1234:644\n0:755'
  run --separate-stderr box --env COLOR=red --root "$BATS_TEST_TMPDIR"/i.tar -- sh -c 'echo $COLOR'
  expect_equal "$output" red
}

@test "archives of docker and OCI, directories, with and without gzip; unpacked once" {
  requires root namespaces
  roots
  local how
  for how in docker docker+gzip docker+packed oci-tar oci-tar+gzip oci-tar+packed oci oci+gzip; do
    make_image $how "$BATS_TEST_TMPDIR"/image-$how '{"Env":["PATH=/bin"],"Cmd":["echo","it runs"]}' "$R"
    run --separate-stderr box --root "$BATS_TEST_TMPDIR"/image-$how
    expect_equal "$how $output" "$how it runs"
  done
  expect_equal "$(find "$XDG_CACHE_HOME"/fabric/images -name rootfs | wc -l)" 1
  local before
  before=$(find "$XDG_CACHE_HOME"/fabric/images -printf '%p %i %T@\n' | sort)
  box --root "$BATS_TEST_TMPDIR"/image-oci
  expect_equal "$(find "$XDG_CACHE_HOME"/fabric/images -printf '%p %i %T@\n' | sort)" "$before"
}

@test "an image that is not what its digests say is refused, and nothing is kept" {
  requires root namespaces
  roots
  local how
  for how in docker+damaged oci+damaged oci-tar+gzip+damaged; do
    make_image $how "$BATS_TEST_TMPDIR"/image '{}' "$R"
    run box --root "$BATS_TEST_TMPDIR"/image -- true
    expect_status 125
    rm -r "$BATS_TEST_TMPDIR"/image
  done
  expect_equal "$(find "$XDG_CACHE_HOME"/fabric/images -name rootfs | wc -l)" 0
  # A blob that was changed afterwards.
  make_image oci "$BATS_TEST_TMPDIR"/image '{}' "$R"
  local blob
  blob=$(find "$BATS_TEST_TMPDIR"/image/blobs -size +500k)
  printf X | dd of="$blob" bs=1 seek=700 conv=notrunc 2>/dev/null
  run box --root "$BATS_TEST_TMPDIR"/image -- true
  expect_status 125
  expect_match "$output" 'digest|damaged'
}

@test "what is no image, and one that is packed with zstd" {
  requires root namespaces
  roots
  echo text >"$BATS_TEST_TMPDIR"/text
  run box --root "$BATS_TEST_TMPDIR"/text -- true
  expect_status 125
  tar -C "$R" -cf "$BATS_TEST_TMPDIR"/plain.tar .
  run box --root "$BATS_TEST_TMPDIR"/plain.tar -- true
  expect_match "$output" 'no image'
  printf '\050\265\057\375 and so on' >"$BATS_TEST_TMPDIR"/zstd
  run box --root "$BATS_TEST_TMPDIR"/zstd -- true
  expect_status 9
  expect_match "$output" 'zstd'
}

@test "a hostile layer writes nothing outside of its image" {
  requires root namespaces
  roots
  local target="$BATS_TEST_TMPDIR/target" layers="$BATS_TEST_TMPDIR/layers" layer
  mkdir "$target" "$layers" "$BATS_TEST_TMPDIR"/naive
  chmod 777 "$target"
  echo victim >"$target"/victim; chmod 666 "$target"/victim
  python3 "$(images hostile_layers.py)" "$layers" "$target"
  # Unpacked without care they do get out.
  tar -C "$BATS_TEST_TMPDIR"/naive -xPf "$layers"/absolute.tar
  tar -C "$BATS_TEST_TMPDIR"/naive -xPf "$layers"/dotdot.tar
  [ -e "$target"/absolute ] && [ -e "$target"/dotdot ]
  rm "$target"/absolute "$target"/dotdot
  listing "$target" >"$BATS_TEST_TMPDIR"/before
  for layer in "$layers"/*.tar; do
    make_image docker "$BATS_TEST_TMPDIR"/i.tar '{"Env":["PATH=/bin"]}' "$R" "$layer"
    run box --root "$BATS_TEST_TMPDIR"/i.tar -- sh -c 'echo runs'
    listing "$target" | diff "$BATS_TEST_TMPDIR"/before - || { echo "$layer got out: $output"; return 1; }
    case ${layer##*/} in
      dotdot.tar | dotdot-inside.tar | hard-link-*.tar | deep.tar | huge.tar | sparse.tar | damaged.tar | root-replaced.tar | whiteout-up.tar)
        [ "$status" -eq 125 ] || { echo "$layer was taken: $output"; return 1; } ;;
    esac
  done
  expect_equal "$(find "$XDG_CACHE_HOME" -perm /6000)" ""
  expect_equal "$(find "$XDG_CACHE_HOME" -type b -o -type c)" ""
  expect_equal "$(find "$XDG_CACHE_HOME"/fabric/images -name 'new-*')" ""
}

@test "a listed host is reached from inside, another one is not" {
  requires root namespaces python3
  roots
  ln -s busybox "$R"/bin/wget
  mkdir "$BATS_TEST_TMPDIR"/site
  echo 'from outside' >"$BATS_TEST_TMPDIR"/site/page
  (cd "$BATS_TEST_TMPDIR"/site && exec python3 -c '
import http.server, os
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open("../port.new", "w").write(str(server.server_port))
os.rename("../port.new", "../port")
server.serve_forever()') >/dev/null 2>&1 3>&- &
  local server=$! port
  wait_until 10 test -s "$BATS_TEST_TMPDIR"/port
  port=$(cat "$BATS_TEST_TMPDIR"/port)
  HOSTS=$(mktemp /tmp/fabric-hosts-XXXXXX) # readable by the account that the egress process becomes
  chmod 644 "$HOSTS"
  echo '127.0.0.1 web.test other.test' >"$HOSTS"
  printf '[egress]\nhosts_file = "%s"\n' "$HOSTS" >fabric.toml
  fabric spawn a --root "$R" --egress "web.test:$port+private" -- \
    sh -c "wget -q -O - http://web.test:$port/page; wget -q -O - http://other.test:$port/page || echo no other" 2>/dev/null
  run --separate-stderr fabric run a
  kill $server
  rm "$HOSTS"
  expect_equal "$output" $'from outside\nno other'
}
