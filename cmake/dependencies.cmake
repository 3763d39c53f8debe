# Everything comes from Debian packages (docs/architecture.md says why each one is here).
# fmt, spdlog, toml++, RapidJSON, CLI11 and expected are used header-only and LMDB, libseccomp and
# protobuf-lite as archives: with the C++ runtime linked statically too, a process starts in half
# the time that the shared libraries take.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_program(PROTOC protoc REQUIRED)

function(fabric_archive target archive)
  find_library(${target}_ARCHIVE ${archive} REQUIRED)
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE ${${target}_ARCHIVE})
endfunction()
fabric_archive(dep_lmdb liblmdb.a)
fabric_archive(dep_seccomp libseccomp.a)
fabric_archive(dep_protobuf_lite libprotobuf-lite.a)
target_link_libraries(dep_lmdb INTERFACE Threads::Threads)
target_link_libraries(dep_protobuf_lite INTERFACE Threads::Threads)

find_library(OPENSSL_SSL_ARCHIVE libssl.a REQUIRED)
find_library(OPENSSL_CRYPTO_ARCHIVE libcrypto.a REQUIRED)
add_library(dep_openssl INTERFACE)
target_link_libraries(dep_openssl INTERFACE ${OPENSSL_SSL_ARCHIVE} ${OPENSSL_CRYPTO_ARCHIVE}
                                            Threads::Threads ${CMAKE_DL_LIBS})

add_library(dep_fmt INTERFACE)
target_compile_definitions(dep_fmt INTERFACE FMT_HEADER_ONLY)
add_library(dep_spdlog INTERFACE)
target_compile_definitions(dep_spdlog INTERFACE SPDLOG_HEADER_ONLY SPDLOG_FMT_EXTERNAL
                                                FMT_HEADER_ONLY)
add_library(dep_toml INTERFACE)
target_compile_definitions(dep_toml INTERFACE TOML_HEADER_ONLY=1)

fabric_archive(dep_zlib libz.a)
