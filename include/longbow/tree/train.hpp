// From a sample of rows to the leaves' centroids. All members of a crew call this together.
#pragma once

#include <cstddef>
#include <memory_resource>

#include "longbow/base/crew.hpp"
#include "longbow/base/random.hpp"
#include "longbow/quant/kmeans.hpp"
#include "longbow/tree/format.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

// Rows that training leaves to calibration, one in four: centroids fit the rows that they were trained on, so that these find
// more of their neighbours than new queries do.
constexpr bool held_out(RowId row) noexcept { return base::mix64(row_key(row)) % 4 == 0; }
// So many rows of a sample may be held out ones: the table might have no others.
inline constexpr std::size_t kLeastTrained = 64;

// What a build reckons with before it has seen its rows.
struct TrainingPlan {
  std::size_t sample_rows;  // worth taking
  std::size_t room;         // centroids, at most
  // Bytes of the crew's memory that centre, centroids, sample and training take together.
  std::size_t shared_bytes;
};
// `rows`: about how many the index will have; meta's dims, bits and leaf size are settled.
TrainingPlan plan_training(const Meta& meta, double rows) noexcept;

// Trains on `count` rows as they came from the table (count x raw_cells(), in the crew's memory; spoilt afterwards). Fills centre
// (dims floats, in the form that rows have before they are centred) and centroids (in the index's space; room x dims);
// returns how many there are, 0 if no row can be indexed. `rows`: how many the index will have.
std::size_t train_leaves(const Meta& meta, float* sample, std::size_t count, double rows, std::size_t room,
                         float* centre, float* centroids, base::Crew& crew, std::pmr::memory_resource& memory,
                         quant::Watch& watch);

}  // namespace longbow::tree
