// Arrays of numbers as the elements of a vector type.
#pragma once

#include "pg/boundary.hpp"

extern "C" {
#include "utils/array.h"
}

namespace longbow::types {

// Requires an array of one dimension, or none, without nulls; returns the number of its elements.
int number_array_length(ArrayType* array);

// Converts the elements of such an array of integer, real, double precision or numeric to floats, which must be finite.
void read_number_array(ArrayType* array, float* values, const char* type);

// Requires finite floats that do not round to an infinite half; `first` is the number of the first, from 1.
void check_half_range(const float* values, int count, int first);

}  // namespace longbow::types
