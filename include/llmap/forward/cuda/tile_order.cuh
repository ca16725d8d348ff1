// In which order blocks take the tiles of x w^T.
#pragma once

namespace llmap::gpu {

inline constexpr unsigned tile_columns = 256; // rows of w that a block takes

/// Blocks go through 16 row blocks by all tiles, tile after tile: the rows of w of a tile come from memory once for all
/// of them, and those of x stay in the second-level cache.
struct tile_order {
  static constexpr unsigned group = 16;
  unsigned row_blocks, tiles;

  struct place {
    unsigned row_block, tile;
  };
  __device__ place of(unsigned block) const {
    const unsigned first = block / (group * tiles) * group, in_group = block - first * tiles;
    const unsigned rows = min(group, row_blocks - first);
    return {first + in_group % rows, in_group / rows};
  }
};

} // namespace llmap::gpu
