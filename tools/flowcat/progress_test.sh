#!/usr/bin/env bash
# The line of progress, as a person sees it: what is on the screen of a terminal.
# shellcheck source=tools/e2e.sh
source tools/e2e.sh
need python3

head -c 400000 /dev/zero >"$work/file"
timeout 100 python3 - "$flowcat" "$work" 2>"$work/progress.err" <<'END' || fail "see progress.err"
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios

flowcat, work = sys.argv[1:]


class Screen:
    """As much of a terminal as the line needs: any other control fails."""

    def __init__(self, columns):
        self.columns, self.lines, self.column = columns, [""], 0

    def feed(self, text):
        while text:
            if text.startswith("\x1b[K"):
                self.lines[-1] = self.lines[-1][: self.column]
                text = text[3:]
                continue
            c, text = text[0], text[1:]
            if c == "\r":
                self.column = 0
            elif c == "\n":
                self.lines.append("")
                self.column = 0
            else:
                assert c.isprintable(), repr(c)
                line = self.lines[-1].ljust(self.column)
                self.lines[-1] = line[: self.column] + c + line[self.column + 1 :]
                self.column += 1
                assert self.column < self.columns, "the line wraps"


def on_terminal(args, columns=300, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, poke=False):
    """The screens that were seen, one after each write, and how it ended."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    before = termios.tcgetattr(slave)

    def own_terminal():
        os.setsid()
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)

    child = subprocess.Popen([flowcat, *args], stdin=slave if stdin == "tty" else stdin, stdout=stdout, stderr=slave,
                             preexec_fn=own_terminal)
    screen, seen = Screen(columns), []
    while True:
        ready = select.select([master], [], [], 0.1)[0]
        if ready:
            screen.feed(os.read(master, 65536).decode())
            seen.append(list(screen.lines))
            if poke and "/s | " in screen.lines[-1]:
                child.send_signal(signal.SIGUSR1)
                poke = False
        elif child.poll() is not None:
            break
    assert termios.tcgetattr(slave) == before, "the terminal was changed"
    os.close(slave)
    os.close(master)
    return seen, child.returncode


size = r"\d+\.\d [KMG]iB|\d+ B"
line = rf"({size}) > ({size})/s \| 0 B < 0 B/s \| \d+s"

# A file of known size: the bytes, the rate, how long yet; and then nothing but the result.
seen, code = on_terminal(["--rate=200k", f"file:{work}/file", f"file:{work}/copy,write,create"])
assert code == 0, code
shown = [screen[-1] for screen in seen if screen[-1]]
assert len(shown) >= 4, shown
for text in shown:
    assert re.fullmatch(line + r" \| \d+%(, \d+s left)?", text), text
percents = [int(re.search(r"(\d+)%", text).group(1)) for text in shown]
assert percents == sorted(percents) and percents[0] < 50 < percents[-1], percents
assert any("1s left" in text for text in shown), shown
assert seen[-1][-1] == "" and len(seen[-1]) == 3, seen[-1]
assert re.fullmatch(rf"flowcat: file:.*/file -> file:.*: 400000 B in .*", seen[-1][0]), seen[-1]
assert not any("> " in text and "/s |" in text for text in seen[-1]), seen[-1]

# A narrow terminal cuts the line rather than wrap it.
seen, code = on_terminal(["--rate=400k", f"file:{work}/file", f"file:{work}/copy,write,truncate", "--quiet", "--progress"],
                         columns=20)
assert code == 0 and any(screen[-1] for screen in seen), seen
assert seen[-1] == [""], seen[-1]

# Lines that are told meanwhile stand above it, whole.
seen, code = on_terminal(["--rate=400k", f"file:{work}/file", f"file:{work}/copy,write,truncate"], poke=True)
assert code == 0, code
told = [screen for screen in seen if len(screen) > 4]
assert told and "1 of 1 connections live" in told[0][0], seen
assert any("/s | " in screen[-1] for screen in told), "the line is not shown again below"
for screen in seen:
    for text in screen[:-1]:
        assert re.match(r"flowcat: (?!.*/s \| )|  #1 |      [<>] ", text), text

# Who types or reads on the terminal is not disturbed; nor who said so.
for args, more in ((["-", f"file:{work}/copy,write,truncate", "--timeout=1s"], {"stdin": "tty"}),
                   (["--rate=400k", "--noprogress", f"file:{work}/file", f"file:{work}/copy,write,truncate"], {}),
                   (["--rate=400k", "--quiet", f"file:{work}/file", f"file:{work}/copy,write,truncate"], {})):
    seen, code = on_terminal(args, **more)
    assert not any("/s | " in text for screen in seen for text in screen), (args, seen)

# Where there is no terminal: plain lines, if asked for.
done = subprocess.run([flowcat, "--rate=400k", "--progress", "--progress-interval=200ms", f"file:{work}/file",
                       f"file:{work}/copy,write,truncate"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
lines = done.stderr.splitlines()
assert done.returncode == 0 and len(lines) >= 4, lines
assert "\r" not in done.stderr and "\x1b" not in done.stderr
for text in lines[:-2]:
    assert re.fullmatch(r"flowcat: " + line + r" \| \d+%(, \d+s left)?", text), text
done = subprocess.run([flowcat, f"file:{work}/file", f"file:{work}/copy,write,truncate"], stdin=subprocess.DEVNULL,
                      stderr=subprocess.PIPE, text=True)
assert len(done.stderr.splitlines()) == 2, done.stderr
END
passed
