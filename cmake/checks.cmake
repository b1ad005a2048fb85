# Tests that are scripts: of the sources, and of what an installed copy does for its users.
if(TARGET test_trace)
  target_link_libraries(test_trace PRIVATE PkgConfig::JANSSON)
endif()
if(TARGET test_formats) # of the command its readers and writers alone; what they allocate is watched
  target_sources(test_formats PRIVATE ${format_sources} ${PROJECT_SOURCE_DIR}/tests/fuzz/check_input.c)
  target_compile_definitions(test_formats PRIVATE TEST_SEEDS="${PROJECT_SOURCE_DIR}/tests/fuzz/seeds")
  target_link_libraries(test_formats PRIVATE $<$<BOOL:${ALLOT_PNG}>:PkgConfig::PNG>)
  target_link_options(test_formats PRIVATE LINKER:--wrap=malloc LINKER:--wrap=calloc)
endif()
if(TARGET test_cli)
  add_library(wrong_reference MODULE tests/preload/wrong_reference.c) # stands before the real one, so that right results look wrong
  target_include_directories(wrong_reference PRIVATE include)
  foreach(name test_cli test_cli_input test_cli_source test_picture test_keep)
    target_link_libraries(${name} PRIVATE PkgConfig::JANSSON)
    add_dependencies(${name} allot_command wrong_reference)
  endforeach()
endif()
if(NOT ALLOT_SANITIZE) # once is enough
  file(GLOB models CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/model/*.pml)
  foreach(model ${models})
    get_filename_component(name ${model} NAME_WE)
    add_test(NAME model_${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/model/check.sh ${name})
    set_tests_properties(model_${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
  endforeach()
  add_test(NAME test_layers COMMAND ${PROJECT_SOURCE_DIR}/tests/test_layers.sh)
  add_test(NAME test_conformance COMMAND ${PROJECT_SOURCE_DIR}/tests/test_conformance.sh)
  add_test(NAME test_install COMMAND ${PROJECT_SOURCE_DIR}/tests/install/run.sh ${PROJECT_BINARY_DIR})
  set_tests_properties(test_install PROPERTIES TIMEOUT 600 ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
endif()

# Nor do these know the user's cost model.
get_property(check_names DIRECTORY PROPERTY TESTS)
set_property(TEST ${check_names} APPEND PROPERTY ENVIRONMENT ALLOT_MODEL=off)
