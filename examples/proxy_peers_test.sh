#!/usr/bin/env bash
# Real programs talk through the proxy as they do without it: redis, PostgreSQL,
# curl and nginx, socat and python.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
PATH=$PATH:/usr/sbin
need redis-server redis-benchmark redis-cli curl python3 nginx socat
proxy=$PWD/examples/proxy
cd "$work"

# start_proxy NAME UPSTREAM [METHOD]: its port is then $port.
start_proxy() {
  start "$1" "$proxy" tcp:127.0.0.1:0 "$2" "${3:-auto}" >"$1.out"
  wait_for_line "$1.out" '^listening on tcp:'
  port=$(sed -nE 's/^listening on .*:([0-9]+)$/\1/p' "$1.out")
}

free_port() { python3 -c "import socket; print(socket.create_server(('127.0.0.1', 0)).getsockname()[1])"; }

# --- redis ----------------------------------------------------------------------

# Over a unix socket, so that its port need not be guessed.
start redis redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --appendonly no </dev/null >redis.out
wait_for_line redis.out 'ready to accept connections|server is now ready'
for method in auto buffered splice; do
  start_proxy "redis.$method" "unix:$work/redis.sock" "$method"
  # 50 clients, pipelined; values of 3 B and of 100 kB.
  timeout 60 redis-benchmark -h 127.0.0.1 -p "$port" -q -n 5000 -P 16 -t set,get,lpush,lrange_100 >"bench.$method" 2>&1 ||
    fail "redis-benchmark by $method: $(tail -n 3 "bench.$method")"
  timeout 60 redis-benchmark -h 127.0.0.1 -p "$port" -q -n 200 -d 100000 -t set,get >>"bench.$method" 2>&1 ||
    fail "redis-benchmark of 100 kB by $method: $(tail -n 3 "bench.$method")"
  ! grep -qi error "bench.$method" || fail "$(grep -i error "bench.$method")"
  passed
  # The same commands, with and without: the same answers.
  python3 - >commands <<'PYTHON'
for i in range(2000):
    print('SET key:%d %s' % (i, 'v' * (i % 997)))
    print('GET key:%d' % (i // 2))
    print('INCR counter')
PYTHON
  redis-cli -s redis.sock FLUSHALL >/dev/null
  redis-cli -s redis.sock <commands >plain.answers
  redis-cli -s redis.sock FLUSHALL >/dev/null
  timeout 60 redis-cli -h 127.0.0.1 -p "$port" <commands >through.answers || fail "redis-cli by $method"
  same plain.answers through.answers
done

# --- curl and nginx -------------------------------------------------------------

head -c 20M /dev/urandom >big
printf small >little
nginx_port=$(free_port)
cat >nginx.conf <<CONF
$( ((EUID != 0)) || echo "user root;")
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.err;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
  uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  server { listen 127.0.0.1:$nginx_port; root $work; location / { } }
}
CONF
start nginx nginx -e "$work/nginx.err" -c "$work/nginx.conf" </dev/null
timeout 20 bash -c "until curl -s -o /dev/null http://127.0.0.1:$nginx_port/little; do :; done" ||
  fail "nginx does not serve"
for method in auto buffered splice; do
  start_proxy "web.$method" "tcp:127.0.0.1:$nginx_port" "$method"
  timeout 60 curl -sS -o got.big "http://127.0.0.1:$port/big" || fail "curl by $method: $?"
  same big got.big
  # One connection for several; a range.
  timeout 60 curl -sS -o got.1 "http://127.0.0.1:$port/little" -o got.2 "http://127.0.0.1:$port/little" ||
    fail "curl, twice, by $method: $?"
  same got.1 got.2
  timeout 60 curl -sS -r 1000000-1999999 -o got.range "http://127.0.0.1:$port/big" || fail "curl -r: $?"
  same <(tail -c +1000001 big | head -c 1000000) got.range
done
wait_for_line web.auto.err 'by splice'

# --- socat and python: a half-close, and a reset ----------------------------------

python_server counter "
n = 0
while True:
    d = c.recv(65536)
    if not d: break
    n += len(d)
c.sendall(b'%d' % n)
"
start_proxy half "tcp:127.0.0.1:$port" splice
head -c 3M /dev/zero | timeout 30 socat -t 20 - "TCP:127.0.0.1:$port" >got.count || fail "socat: $?"
[[ $(<got.count) == $((3 << 20)) ]] || fail "the server counted $(<got.count) bytes"
passed
python_server waiter "
try:
    c.recv(1)
    c.recv(1)
    print('a clean end', flush=True)
except ConnectionResetError:
    print('reset', flush=True)
"
start_proxy reset "tcp:127.0.0.1:$port"
python3 - "$port" <<'PYTHON'
import socket, struct, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
s.send(b'x')
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.close()
PYTHON
wait_for_line waiter.out 'reset|clean'
grep -q '^reset' waiter.out || fail "a reset became a clean end"
passed

# --- PostgreSQL -------------------------------------------------------------------

bin=$(compgen -G '/usr/lib/postgresql/*/bin' | tail -n 1) || fail "no PostgreSQL here: run tools/peers"
# It refuses to run as root: as another user of a name space of ours, where that can
# be had, else as its own.
as_postgres=(env)
install -d -m 700 "$work/pg"
if ((EUID == 0)) && unshare --user --map-user=1000 true 2>/dev/null; then
  as_postgres=(unshare --user --map-user=1000)
elif ((EUID == 0)); then
  as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  chmod 755 "$work"
  chown postgres "$work/pg"
fi
"${as_postgres[@]}" "$bin/initdb" -D "$work/pg/data" -A trust -U tester --no-sync >initdb.out 2>initdb.err ||
  fail "initdb: $(tail -n 3 initdb.err)"
start postgres "${as_postgres[@]}" "$bin/postgres" -D "$work/pg/data" -c listen_addresses= \
  -c "unix_socket_directories=$work/pg" -c fsync=off </dev/null >postgres.out
wait_for_line postgres.err 'ready to accept connections'
export PGUSER=tester PGDATABASE=postgres
start_proxy database "unix:$work/pg/.s.PGSQL.5432"
timeout 60 "$bin/pgbench" -h 127.0.0.1 -p "$port" -i -s 1 -q >pgbench.out 2>&1 || fail "pgbench -i: $(tail -n 3 pgbench.out)"
timeout 60 "$bin/pgbench" -h 127.0.0.1 -p "$port" -c 4 -j 2 -t 100 >pgbench.out 2>&1 || fail "pgbench: $(tail -n 3 pgbench.out)"
grep -q 'number of failed transactions: 0 ' pgbench.out || fail "$(grep failed pgbench.out)"
grep -q 'processed: 400/400' pgbench.out || fail "$(grep processed pgbench.out)"
passed
query='SELECT * FROM pgbench_accounts ORDER BY aid'
"$bin/psql" -h "$work/pg" -At -c "$query" >plain.rows
timeout 60 "$bin/psql" -h 127.0.0.1 -p "$port" -At -c "$query" >through.rows || fail "psql"
same plain.rows through.rows
