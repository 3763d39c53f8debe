// SPDX-License-Identifier: Apache-2.0
// The adaptors know nothing of fabric's commands: they hand the words to `fabric __complete`.
#include "fabric/complete.hpp"

namespace fabric::cmd {
namespace {

constexpr std::string_view k_bash =
    R"(# bash completion for fabric; made by 'fabric completion bash'
_fabric() {
  local cur="${COMP_WORDS[COMP_CWORD]}" line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :file) compopt -o default ;;
      :directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <(fabric __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _fabric fabric
)";

constexpr std::string_view k_zsh = R"(#compdef fabric
# zsh completion for fabric; made by 'fabric completion zsh'
_fabric() {
  local line
  local -a candidates
  for line in "${(@f)$(fabric __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :file) _files ;;
      :directory) _files -/ ;;
      ?*) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  (( $#candidates )) && _describe fabric candidates
}
compdef _fabric fabric
)";

constexpr std::string_view k_fish =
    R"(# fish completion for fabric; made by 'fabric completion fish'
function __fabric_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  for line in (fabric __complete $words 2>/dev/null)
    switch $line
      case :file; __fish_complete_path (commandline -ct)
      case :directory; __fish_complete_directories (commandline -ct)
      case '*'; echo $line
    end
  end
end
complete -c fabric -f -a '(__fabric_complete)'
)";

}  // namespace

std::string_view completion_script(std::string_view shell) {
  if (shell == "bash") return k_bash;
  if (shell == "zsh") return k_zsh;
  if (shell == "fish") return k_fish;
  return {};
}

}  // namespace fabric::cmd
