#!/usr/bin/env bash
# The TLS examples talk to real programs: openssl, curl and nginx, TLS 1.2 and 1.3.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need openssl curl python3
PATH=$PATH:/usr/sbin
need nginx
get=$PWD/examples/https_get
echo_server=$PWD/examples/tls_echo_server
cd "$work"

# A root, and a certificate for localhost alone.
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${new_key[@]}" -keyout ca.key -out ca.pem -subj "/CN=test root" -days 2 2>openssl.err
openssl req "${new_key[@]}" -keyout key.pem -out request.pem -subj "/CN=server" 2>>openssl.err
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -out chain.pem \
  -extfile <(echo "subjectAltName=DNS:localhost") 2>>openssl.err

start server "$echo_server" tcp:127.0.0.1:0 chain.pem key.pem >server.out
wait_for_line server.out '^listening on tcp:'
port=$(sed -nE 's/^listening on .*:([0-9]+)$/\1/p' server.out)

# open_input NAME: fd 9 writes what fd 8 reads. A client is started with <&8 9>&-,
# so that it sees the end when the test closes 9.
open_input() {
  mkfifo "in.$1"
  exec 7<>"in.$1"
  exec 8<"in.$1"
  exec 9>"in.$1"
  exec 7>&-
}

# --- clients of others --------------------------------------------------------

# s_client takes a line "K" for a change of its key that asks for one of ours, and
# the end of its input for its own.
for version in tls1_2 tls1_3; do
  open_input "$version"
  start "client.$version" openssl s_client -connect "127.0.0.1:$port" -servername localhost \
    -CAfile ca.pem -verify_return_error "-$version" <&8 9>&- >"out.$version"
  client=$pid
  echo "hello $version" >&9
  wait_for_line "out.$version" "^hello $version\$"
  if [[ $version == tls1_3 ]]; then
    echo K >&9
    wait_for_line "client.$version.err" '^KEYUPDATE'
    echo "hello again" >&9
    wait_for_line "out.$version" '^hello again$'
  fi
  exec 9>&-
  wait_exit "$client" 0
  grep -q 'Verification: OK\|Verify return code: 0' "out.$version" || fail "not verified by s_client"
  passed
done
wait_for_line server.err '^TLS 1.2, '
wait_for_line server.err '^TLS 1.3, '

# Renegotiation is refused; that client ends, the server goes on.
open_input renegotiate
start client.renegotiate openssl s_client -connect "127.0.0.1:$port" -tls1_2 <&8 9>&- >out.renegotiate
client=$pid
echo hello >&9
wait_for_line out.renegotiate '^hello$'
echo R >&9
wait_for_line client.renegotiate.err 'no renegotiation'
exec 9>&-
wait_exit "$client" 1

# What curl asks is its own answer: an echo of this request is a response.
for version in 1.2 1.3; do
  [[ $(curl -sS --cacert ca.pem --resolve "localhost:$port:127.0.0.1" "--tlsv$version" --tls-max "$version" \
    -X 'HTTP/1.1 200 OK' -d "body over $version" "https://localhost:$port/" 2>curl.err) == "body over $version" ]] ||
    fail "curl got no answer"
  passed
done

# No TLS: told apart, and the server lives.
status=0
curl -sS -m 20 "http://127.0.0.1:$port/" >/dev/null 2>&1 || status=$?
((status != 0)) || fail "an answer without TLS"
wait_for_line server.err '^DATA_LOSS: .*does not speak TLS: http request'
# A client that vanishes without its end mark.
open_input killed
start client.killed openssl s_client -connect "127.0.0.1:$port" <&8 9>&- >out.killed
echo hello >&9
wait_for_line out.killed '^hello$'
kill -KILL "$pid"
wait_for_line server.err '^(DATA_LOSS: .*without close_notify|UNAVAILABLE: .*reset)'
exec 9>&-
passed

# --- servers of others --------------------------------------------------------

printf 'a page\n' >page.txt
for version in tls1_2 tls1_3; do
  start "www.$version" openssl s_server -accept 127.0.0.1:0 -cert chain.pem -key key.pem -WWW "-$version" \
    >"accept.$version" </dev/null
  wait_for_line "accept.$version" '^ACCEPT 127.0.0.1:[0-9]+'
  port=$(sed -nE 's/^ACCEPT 127.0.0.1:([0-9]+).*/\1/p' "accept.$version" | head -n 1)
  "$get" "localhost:$port" /page.txt ca.pem >got 2>get.err || fail "exit code $?"
  [[ $(tail -n 1 got) == "a page" ]] || fail "no page: $(<got)"
  passed

  # Verified: by root, by name.
  status=0
  "$get" "localhost:$port" /page.txt >got 2>get.err || status=$?
  if ((status != 1)) || [[ -s got ]]; then fail "accepted by the system's roots"; fi
  grep -q '^UNAUTHENTICATED: .*unable to get local issuer' get.err || fail "does not say why"
  status=0
  "$get" "127.0.0.1:$port" /page.txt ca.pem >got 2>get.err || status=$?
  if ((status != 1)) || [[ -s got ]]; then fail "accepted for another name"; fi
  grep -q '^UNAUTHENTICATED: .*not for "127.0.0.1" but for localhost' get.err || fail "does not say why"
  passed
done

# nginx can't choose a port by itself.
mkdir www tmp
head -c 3000000 /dev/urandom >www/page.bin
start_nginx() {
  local try
  for try in 1 2 3; do
    port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >nginx.conf <<END
user root root;  # in a sandbox there may be nobody else
daemon off; master_process off; pid $work/nginx.pid; error_log stderr notice;
events {}
http {
  access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
  uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {
    listen 127.0.0.1:$port ssl; root $work/www; ssl_protocols $1;
    ssl_certificate $work/chain.pem; ssl_certificate_key $work/key.pem;
  }
}
END
    start "nginx.$1.$try" nginx -p "$work" -c "$work/nginx.conf" </dev/null
    # shellcheck disable=SC2016
    if timeout 20 bash -c 'until curl -sk -o /dev/null "https://127.0.0.1:$1/"; do
        kill -0 "$2" 2>/dev/null || exit 1; done' - "$port" "$pid"; then return; fi
  done
  fail "nginx does not start"
}
for version in TLSv1.2 TLSv1.3; do
  start_nginx "$version"
  "$get" "localhost:$port" /page.bin ca.pem 2>get.err | tail -c 3000000 >got || fail "exit code $?"
  same got www/page.bin
  grep -q "^TLS ${version#TLSv}, .*alpn http/1.1" get.err || fail "not as agreed: $(<get.err)"
  passed
done
