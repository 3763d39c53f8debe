# One INTERFACE target carries warnings and sanitizers to everything that is ours.
add_library(fabric_options INTERFACE)
target_compile_options(fabric_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wimplicit-fallthrough -Wformat=2 -Wnull-dereference)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Sees overlapping copies in every `"text" + string` once optimised (GCC bug 105651).
  target_compile_options(fabric_options INTERFACE -Wno-restrict)
endif()
if(FABRIC_WERROR)
  target_compile_options(fabric_options INTERFACE -Werror)
endif()
if(FABRIC_SANITIZE)
  target_compile_options(fabric_options INTERFACE
    -fsanitize=${FABRIC_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(fabric_options INTERFACE -fsanitize=${FABRIC_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # The checks that a sanitizer adds confuse it (GCC manual, -fsanitize): found in std::regex.
    target_compile_options(fabric_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
if(FABRIC_FUZZ)
  target_compile_options(fabric_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_include_directories(fabric_options INTERFACE ${PROJECT_SOURCE_DIR}/lib
                                                    ${PROJECT_BINARY_DIR}/lib)
