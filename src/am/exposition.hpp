// Text in Prometheus' exposition format, version 0.0.4: families with HELP and TYPE, samples with labels, histograms.
//
// Plain data over a StringInfo: an error may leave it behind.
#pragma once

#include "longbow/stats/histogram.hpp"
#include "pg/boundary.hpp"

extern "C" {
#include "lib/stringinfo.h"
}

namespace longbow::am {

class Exposition {
 public:
  explicit Exposition(StringInfo out) : out_(out) {}

  // Begins a family; the samples that follow are its own. `type` is counter or gauge.
  void family(const char* name, const char* type, const char* help);
  // A sample of the family; label() before it.
  void sample(std::uint64_t value);
  void sample(double value);
  // A label of the next sample.
  void label(const char* name, const char* value);
  // A whole family of one sample without labels.
  void counter(const char* name, std::uint64_t value, const char* help);
  void gauge(const char* name, double value, const char* help);
  // A histogram of nanoseconds as seconds: a bucket each power of two from 16 us to 34 s.
  void histogram(const char* name, const stats::Histogram& h, const char* help);

 private:
  void begin_sample();

  StringInfo out_;
  const char* name_ = nullptr;
  char labels_[1024] = {};
  std::size_t used_ = 0;
};

}  // namespace longbow::am
