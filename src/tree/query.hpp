// A query brought into the index's space, with everything that is computed once for a search.
#pragma once

#include <cmath>
#include <memory_resource>
#include <vector>

#include "longbow/quant/bits.hpp"
#include "longbow/quant/code.hpp"
#include "longbow/quant/rotation.hpp"
#include "longbow/simd/kernels.hpp"
#include "longbow/tree/space.hpp"
#include "node.hpp"

namespace longbow::tree {

// How the rows of a search are ordered.
enum class Ranking : std::uint8_t {
  scored,  // by codes
  blind,   // the query is beyond float arithmetic: every row, bound -infinity
  null,    // NULL query: every row, distance NULL
};

class Query {
 public:
  Query(const Space& space, std::pmr::memory_resource& memory)
      : space_(space),
        vector_(space.dims(), &memory),
        q8_(quant::padded_dims(space.dims(), 1), &memory),
        cells_(space.has_bits() ? space.scan_bytes() : 0, &memory) {
    // A query that cannot rank still walks the inner nodes, all estimates equal.
    block_.q8 = q8_.data();
  }

  // Prepares a raw query; returns how it can rank.
  Ranking prepare(const float* raw) {
    const auto& k = simd::kernels();
    const std::size_t n = space_.dims();
    const base::Metric metric = space_.metric();
    refine_ = {metric, n, vector_.data(), 0, 0, 0};
    if (space_.has_bits()) {
      space_.prepare_row(raw, vector_.data());
      finish();
      return Ranking::scored;
    }
    const float squared = k.cosine(raw, raw, n).a_squared;
    if (!(squared <= 1e30F)) return Ranking::blind;
    std::copy_n(raw, n, vector_.data());
    if (metric == base::Metric::cosine) {
      if (!(squared >= 1e-30F)) return Ranking::blind;
      k.scale(vector_.data(), 1.0F / std::sqrt(squared), n);
    } else {
      refine_.raw_norm = std::sqrt(squared);
    }
    if (metric == base::Metric::ip)
      refine_.centre_product = k.inner_product(raw, space_.centre, n);
    else
      k.subtract(vector_.data(), space_.centre, vector_.data(), n);
    refine_.norm = std::sqrt(k.inner_product(vector_.data(), vector_.data(), n));
    if (!(refine_.norm <= 1e15F)) return Ranking::blind;
    if (space_.rotated()) quant::rotate(space_.signs, vector_.data(), n);
    finish();
    return Ranking::scored;
  }
  // Takes a vector that is in the index's space already.
  void adopt(const float* prepared) {
    const std::size_t n = space_.dims();
    std::copy_n(prepared, n, vector_.data());
    refine_ = {space_.metric(), n, vector_.data(), 0, 0, 0};
    refine_.norm = std::sqrt(simd::kernels().inner_product(prepared, prepared, n));
    finish();
  }

  [[nodiscard]] const float* vector() const noexcept { return vector_.data(); }
  [[nodiscard]] const quant::RefineQuery& refine() const noexcept { return refine_; }
  [[nodiscard]] const BlockQuery& block() const noexcept { return block_; }

  // A node's own part of its rows' estimates: |q - c|^2 or -<q, c>; for L1 `t` receives q - c.
  float base_of(const float* centroid, float* t) const noexcept {
    const auto& k = simd::kernels();
    switch (space_.metric()) {
      case base::Metric::ip: return -k.inner_product(vector_.data(), centroid, vector_.size());
      case base::Metric::l1: k.subtract(vector_.data(), centroid, t, vector_.size()); return 0;
      default: return k.l2_squared(vector_.data(), centroid, vector_.size());
    }
  }
 private:
  void finish() noexcept {
    block_.q8 = q8_.data();
    if (space_.has_bits()) {
      quant::gather_bits(vector_.data(), vector_.size(), cells_.data());
      block_.cells = cells_.data();
      block_.set = static_cast<std::uint32_t>(quant::count_bits(cells_.data(), vector_.size()));
    }
    block_.scale = quant::quantize_query(vector_.data(), vector_.size(), q8_.size(), q8_.data());
  }

  const Space& space_;
  std::pmr::vector<float> vector_;
  std::pmr::vector<std::int8_t> q8_;
  std::pmr::vector<std::uint8_t> cells_;  // of bits
  quant::RefineQuery refine_{};
  BlockQuery block_{};
};

}  // namespace longbow::tree
