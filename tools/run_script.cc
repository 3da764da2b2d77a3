// run_script SCRIPT ARG...: becomes bash with them. See e2e.bzl.

#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  static char bash[] = "bash";
  // The script's own words follow where this program's name was.
  argv[0] = bash;
  execvp(bash, argv);
  std::perror("run_script: cannot start bash");
  return 127;
}
