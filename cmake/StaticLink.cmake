# tracer_static_executable(name SOURCES... [LIBS ...]): one file that runs on any Linux of this architecture, also in an
# initramfs with nothing else in it: no dynamic loader, no shared library. It lands in the top of the build folder, stripped in
# Release. Libraries given by name (bpf elf z nl-3 boost_program_options crypto) are taken as the .a that Debian ships.
#
# The linker warns about getaddrinfo (libnl) and dlopen (libcrypto), which need shared libraries at run time. We call nothing
# that leads there; tests/static_binary proves that the program starts without them.
function(tracer_static_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tracer_flags ${arg_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  target_link_options(${name} PRIVATE -Wl,--gc-sections $<$<CONFIG:Release>:-s>)
  if(NOT TRACER_SANITIZE)  # sanitizers want the dynamic loader
    target_link_options(${name} PRIVATE -static)
  endif()
endfunction()
