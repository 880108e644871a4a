# tracer_bpf_object(name source [DEFINES ...]): compiles one BPF C file and embeds it as an object library `name`, which
# defines `extern const unsigned char name_start[], name_end[]`: the object, compressed by gzip; unpack_image() of
# backends/bpf/packed_image.h inflates it. Its property BPF_OBJECT is the compiled file.
# tracer_embed_bpf(name object symbol): the same for an object file that is there already.
#
# clang 14 and -mcpu=v2 on purpose: 32-bit lengths as newer code generation makes them are refused by old verifiers.
find_program(BPF_CLANG NAMES clang-14 clang REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip-14 llvm-strip REQUIRED)
find_program(GZIP NAMES gzip REQUIRED)
# Those of the architecture that is built for, which clang does not look for by itself.
find_path(BPF_KERNEL_HEADERS NAMES asm/types.h REQUIRED)
find_path(BPF_HELPER_HEADERS NAMES bpf/bpf_helpers.h REQUIRED)

function(tracer_embed_bpf name object symbol)
  set(assembly ${CMAKE_CURRENT_BINARY_DIR}/${name}.S)
  set(packed ${CMAKE_CURRENT_BINARY_DIR}/${name}.packed)
  add_custom_command(OUTPUT ${packed} COMMAND ${GZIP} -9 -n -c ${object} > ${packed} DEPENDS ${object} VERBATIM)
  file(CONFIGURE OUTPUT ${assembly} CONTENT
".section .rodata\n.balign 8\n.global @symbol@_start\n.global @symbol@_end\n@symbol@_start:\n.incbin \"@packed@\"\n@symbol@_end:\n.byte 0\n.section .note.GNU-stack,\"\",%progbits\n" @ONLY)
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${packed})
  add_library(${name} OBJECT ${assembly})
  set_target_properties(${name} PROPERTIES BPF_OBJECT ${object})
endfunction()

function(tracer_bpf_object name source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "DEFINES")
  list(TRANSFORM arg_DEFINES PREPEND -D)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  cmake_path(ABSOLUTE_PATH source)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(arch arm64)
  else()
    set(arch x86)
  endif()
  set(compile ${BPF_CLANG} -target bpf -mcpu=v2 -O2 -g -std=gnu11 -Wall -Wextra -Werror ${arg_DEFINES}
    -I${PROJECT_SOURCE_DIR} -isystem ${BPF_KERNEL_HEADERS} -isystem ${BPF_HELPER_HEADERS})
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${compile} -D__TARGET_ARCH_${arch} -MMD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    COMMAND ${BPF_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d VERBATIM)
  tracer_embed_bpf(${name} ${object} ${name})
  foreach(other x86 arm64)  # so that whoever builds for one does not break it for the other
    if(TRACER_TESTS AND NOT TRACER_SANITIZE AND NOT other STREQUAL arch)
      add_test(NAME bpf_${other}_${name} COMMAND ${compile} -D__TARGET_ARCH_${other} -fsyntax-only ${source})
      set_tests_properties(bpf_${other}_${name} PROPERTIES TIMEOUT 120)
    endif()
  endforeach()
endfunction()
