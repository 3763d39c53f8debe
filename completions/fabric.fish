# fish completion for fabric; made by 'fabric completion fish'
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
