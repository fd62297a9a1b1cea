# cnnc_compile(NAME NETWORK net.cnn [TARGET openedge] [MACHINE name|file.json] [OUTPUT net.cnnb] [OPTIONS ...])
#
# Compiles a network as a part of the build: a target NAME (part of all) that makes OUTPUT (default: NAME.cnnb in the current binary folder) with cnnc, and again whenever the network, a file
# that it names, a machine description or the compiler changed. The path of the image is the target's property CNN_IMAGE. cnnc is looked for on PATH and in CNNC_EXECUTABLE, which may be a
# list (dotnet;path/to/cnnc.dll).
cmake_minimum_required(VERSION 3.21)

if(NOT CNNC_EXECUTABLE)
  find_program(CNNC_EXECUTABLE cnnc REQUIRED DOC "The compiler of networks")
endif()

function(cnnc_compile name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "NETWORK;TARGET;MACHINE;OUTPUT" "OPTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "cnnc_compile(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_NETWORK)
    message(FATAL_ERROR "cnnc_compile(${name}): say NETWORK net.cnn")
  endif()
  if(NOT arg_TARGET)
    set(arg_TARGET openedge)
  endif()
  if(NOT arg_OUTPUT)
    set(arg_OUTPUT "${name}.cnnb")
  endif()
  get_filename_component(network "${arg_NETWORK}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  get_filename_component(output "${arg_OUTPUT}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  set(machine)
  if(arg_MACHINE)
    set(machine --machine "${arg_MACHINE}")
  endif()
  list(GET CNNC_EXECUTABLE -1 compiler)
  add_custom_command(
    OUTPUT "${output}"
    COMMAND ${CNNC_EXECUTABLE} compile "${network}" -t "${arg_TARGET}" ${machine} -o "${output}" --depfile "${output}.d" ${arg_OPTIONS}
    DEPENDS "${network}" "${compiler}"
    DEPFILE "${output}.d"
    COMMENT "Compiling ${arg_NETWORK} for ${arg_TARGET}"
    VERBATIM)
  add_custom_target(${name} ALL DEPENDS "${output}")
  set_target_properties(${name} PROPERTIES CNN_IMAGE "${output}")
endfunction()
