// Size classes at their bounds; meters against what was taken and given back.
#include "longbow/mem/tally.hpp"

#include <gtest/gtest.h>

namespace longbow::mem {
namespace {

const Tally& of(const Tallies& t, SizeClass c) { return t.of[static_cast<std::size_t>(c)]; }

TEST(SizeClass, ChangesExactlyAtItsBounds) {
  EXPECT_EQ(size_class(0), SizeClass::tiny);
  EXPECT_EQ(size_class(63), SizeClass::tiny);
  EXPECT_EQ(size_class(64), SizeClass::small);
  EXPECT_EQ(size_class(255), SizeClass::small);
  EXPECT_EQ(size_class(256), SizeClass::medium);
  EXPECT_EQ(size_class(1023), SizeClass::medium);
  EXPECT_EQ(size_class(1024), SizeClass::large);
  EXPECT_EQ(size_class(65536), SizeClass::large);
  EXPECT_EQ(size_class(65537), SizeClass::huge);
  EXPECT_EQ(size_class(~std::size_t{0}), SizeClass::huge);
}

TEST(SizeClass, HasNames) {
  EXPECT_STREQ(size_class_name(SizeClass::tiny), "tiny");
  EXPECT_STREQ(size_class_name(SizeClass::huge), "huge");
}

TEST(Meter, CountsWhatIsTakenAndGivenBack) {
  Tallies total;
  {
    Meter meter(total);
    meter.took(10);
    meter.took(20);
    meter.gave(10);
    meter.took(5);
    meter.took(2000);
    meter.gave(2000);
    EXPECT_EQ(of(total, SizeClass::tiny).allocations, 3U);
    EXPECT_EQ(of(total, SizeClass::tiny).bytes, 35U);
    EXPECT_EQ(of(total, SizeClass::tiny).live, 25U);
    EXPECT_EQ(of(total, SizeClass::tiny).peak, 30U);
    EXPECT_TRUE(total.touched);
  }
  // Only what was left went at once.
  EXPECT_EQ(of(total, SizeClass::tiny).live, 0U);
  EXPECT_EQ(of(total, SizeClass::tiny).peak, 30U);
  EXPECT_EQ(of(total, SizeClass::tiny).resets, 1U);
  EXPECT_EQ(of(total, SizeClass::large).peak, 2000U);
  EXPECT_EQ(of(total, SizeClass::large).resets, 0U);
  EXPECT_EQ(of(total, SizeClass::small).allocations, 0U);
}

TEST(Meter, MetersShareTheirTallies) {
  Tallies total;
  Meter one(total);
  one.took(100);
  {
    Meter two(total);
    two.took(100);
    EXPECT_EQ(of(total, SizeClass::small).live, 200U);
  }
  EXPECT_EQ(of(total, SizeClass::small).live, 100U);
  one.reset();
  EXPECT_EQ(of(total, SizeClass::small).live, 0U);
  EXPECT_EQ(of(total, SizeClass::small).resets, 2U);
  one.reset();
  EXPECT_EQ(of(total, SizeClass::small).resets, 2U);
}

}  // namespace
}  // namespace longbow::mem
