# Installation: filled by the packaging of cmd, man and completions.
