const BLOCK = 256

interface Block<V> {
  keys: string[]
  values: V[]
}

interface Place {
  block: number
  at: number
}

/**
 * A map ordered by its string keys: sorted blocks in a sorted list, so that finding is two binary searches and an
 * insertion moves at most one block. Iteration survives changes made while it is suspended.
 */
export class OrderedMap<V> {
  private blocks: Block<V>[] = []
  private version = 0
  size = 0

  set(key: string, value: V): void {
    const block = this.blocks[this.blockOf(key)] ?? this.blocks.at(-1)
    if (!block) {
      this.blocks.push({ keys: [key], values: [value] })
      this.grown(1)
      return
    }
    const at = lowerBound(block.keys, key)
    if (block.keys[at] === key) {
      block.values[at] = value
      return
    }
    if (at === block.keys.length) {
      block.keys.push(key)
      block.values.push(value)
    } else {
      block.keys.splice(at, 0, key)
      block.values.splice(at, 0, value)
    }
    this.grown(1)
    if (block.keys.length > BLOCK) this.split(block)
  }

  delete(key: string): boolean {
    const index = this.blockOf(key)
    const block = this.blocks[index]
    if (!block) return false
    const at = lowerBound(block.keys, key)
    if (block.keys[at] !== key) return false
    block.keys.splice(at, 1)
    block.values.splice(at, 1)
    if (block.keys.length === 0) this.blocks.splice(index, 1)
    this.grown(-1)
    return true
  }

  /** The first entry whose key is at or after `from`. */
  first(from: string): [string, V] | undefined {
    const block = this.blocks[this.blockOf(from)]
    if (!block) return undefined
    const at = lowerBound(block.keys, from)
    return [block.keys[at] as string, block.values[at] as V]
  }

  /** The entries with `from <= key < to`, ascending or with `backward` descending. */
  *range(from: string, to: string, backward = false): Generator<[string, V]> {
    let place = backward ? this.before(to) : this.seek(from)
    for (;;) {
      const block = this.blocks[place.block]
      const key = block?.keys[place.at]
      if (!block || key === undefined || (backward ? key < from : key >= to)) return
      const { version } = this
      yield [key, block.values[place.at] as V]
      if (version === this.version) place = backward ? this.previous(place) : this.next(place)
      else place = backward ? this.before(key) : this.seek(`${key}\0`)
    }
  }

  /** About how many keys lie in `from <= key < to`: exact within a block or two. */
  estimate(from: string, to: string): number {
    const [low, high] = [this.seek(from), this.seek(to)]
    if (low.block === high.block) return Math.max(0, high.at - low.at)
    const average = this.size / Math.max(1, this.blocks.length)
    const head = (this.blocks[low.block]?.keys.length ?? 0) - low.at
    return Math.max(0, Math.round(head + high.at + (high.block - low.block - 1) * average))
  }

  private grown(by: number): void {
    this.size += by
    this.version++
  }

  /** The place of the first key at or after this one. */
  private seek(key: string): Place {
    const index = this.blockOf(key)
    const block = this.blocks[index]
    return { block: index, at: block ? lowerBound(block.keys, key) : 0 }
  }

  /** The place of the last key before this one. */
  private before(key: string): Place {
    return this.previous(this.seek(key))
  }

  private next({ block, at }: Place): Place {
    const isLast = at + 1 >= (this.blocks[block]?.keys.length ?? 0)
    return isLast ? { block: block + 1, at: 0 } : { block, at: at + 1 }
  }

  private previous({ block, at }: Place): Place {
    if (at > 0) return { block, at: at - 1 }
    return { block: block - 1, at: (this.blocks[block - 1]?.keys.length ?? 0) - 1 }
  }

  /** The first block whose last key is at or after `key`; past the end when there is none. */
  private blockOf(key: string): number {
    let [low, high] = [0, this.blocks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const keys = this.blocks[middle]?.keys as string[]
      if ((keys[keys.length - 1] as string) < key) low = middle + 1
      else high = middle
    }
    return low
  }

  private split(block: Block<V>): void {
    const index = this.blockOf(block.keys[0] as string)
    // Keys mostly arrive in ascending order; a full block at the end is left full instead of half empty.
    const half = index === this.blocks.length - 1 ? BLOCK - 16 : BLOCK / 2
    const next = { keys: block.keys.splice(half), values: block.values.splice(half) }
    this.blocks.splice(index + 1, 0, next)
  }
}

function lowerBound(keys: string[], key: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
