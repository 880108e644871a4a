# What every target of ours is built with. Warnings are errors; only our own code is held to them.
add_library(tracer_flags INTERFACE)
target_compile_options(tracer_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual -Wformat=2
  -Wundef -Werror -fno-rtti)
# g++ 12 sees overlapping copies in `"text" + std::string()` that are not there (GCC bug 105329, mended in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(tracer_flags INTERFACE -Wno-restrict)
endif()
target_include_directories(tracer_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(TRACER_SANITIZE)
  target_compile_options(tracer_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(tracer_flags INTERFACE -fsanitize=address,undefined)
  target_compile_definitions(tracer_flags INTERFACE TRACER_SANITIZED)
  set(tracer_test_timeout 400)  # behind the guests, at nice; unoptimised, the longest takes 30 s alone
else()
  set(tracer_test_timeout 120)
endif()
if(TRACER_FUZZ)
  target_compile_options(tracer_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
# What g++ 12's std::stable_sort uses by itself is marked as deprecated in it.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(tracer_flags INTERFACE -Wno-deprecated-declarations)
endif()

# tracer_library(name SOURCES... [LIBS ...]): a static library of ours.
function(tracer_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC tracer_flags ${arg_LIBS})
endfunction()

# Parsing GoogleTest and the standard library is half of what compiling a test takes: done once for all of them. Not with a
# compiler cache in front, which would have to be told to trust precompiled headers.
function(tracer_precompile_test_headers name)
  if(CMAKE_CXX_COMPILER_LAUNCHER)
    return()
  endif()
  if(NOT TARGET tracer_test_headers)
    set(empty ${PROJECT_BINARY_DIR}/test_headers.cpp)
    file(CONFIGURE OUTPUT ${empty} CONTENT "")
    add_library(tracer_test_headers OBJECT ${empty})
    target_link_libraries(tracer_test_headers PRIVATE tracer_flags)
    target_compile_options(tracer_test_headers PRIVATE -O0)
    target_precompile_headers(tracer_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <algorithm> <chrono>
      <filesystem> <fstream> <functional> <map> <memory> <optional> <span> <string> <variant> <vector>)
  endif()
  target_precompile_headers(${name} REUSE_FROM tracer_test_headers)
endfunction()

# tracer_test(name SOURCES... [LIBS ...] [LABELS ...]): one GoogleTest binary, registered with ctest.
function(tracer_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS;LABELS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tracer_flags ${arg_LIBS} gtest gmock gtest_main)
  # What is tested is in the libraries, built as ever. With the sanitizers a test takes a third of the time to compile so.
  target_compile_options(${name} PRIVATE -O0)
  tracer_precompile_test_headers(${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${tracer_test_timeout} LABELS "${arg_LABELS}")
endfunction()

# tracer_fuzzer(name SOURCES... [LIBS ...]): a libFuzzer target; only with -DTRACER_FUZZ=ON.
function(tracer_fuzzer name)
  if(TRACER_FUZZ)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE tracer_flags ${arg_LIBS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    if(NOT TARGET all_fuzzers)
      add_custom_target(all_fuzzers)
    endif()
    add_dependencies(all_fuzzers ${name})
  endif()
endfunction()
