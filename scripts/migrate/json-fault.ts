const SPACE = /[ \t\r\n]*/y
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a JSON string must not contain
const PLAIN = /[^"\\\x00-\x1f]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y

/**
 * Where text stops being one JSON value (RFC 8259): the byte that cannot follow, or the end where more had to come.
 * `JSON.parse` names a position for some faults only. Undefined where the text is a whole value.
 */
export function findFault(bytes: Uint8Array): number | undefined {
  // A character a byte, so that positions are those of the file; what is not ASCII is only ever inside of strings.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const open: ('{' | '[')[] = []
  let at = 0
  let expected: 'value' | 'value or ]' | 'key' | 'key or }' | 'separator' = 'value'

  function skip(pattern: RegExp): boolean {
    pattern.lastIndex = at
    if (!pattern.test(text)) return false
    at = pattern.lastIndex
    return true
  }
  function skipString(): boolean {
    at += 1
    for (;;) {
      skip(PLAIN)
      if (text[at] !== '\\') break
      if (!skip(ESCAPE)) return false
    }
    if (text[at] !== '"') return false
    at += 1
    return true
  }

  for (;;) {
    skip(SPACE)
    const character = text[at]
    const inside = open.at(-1)
    if (expected === 'separator') {
      if (inside === undefined) return character === undefined ? undefined : at
      if (character === (inside === '{' ? '}' : ']')) open.pop()
      else if (character === ',') expected = inside === '{' ? 'key' : 'value'
      else return at
      at += 1
    } else if (expected === 'key' || expected === 'key or }') {
      if (character === '}' && expected === 'key or }') {
        open.pop()
        at += 1
        expected = 'separator'
        continue
      }
      if (character !== '"' || !skipString()) return at
      skip(SPACE)
      if (text[at] !== ':') return at
      at += 1
      expected = 'value'
    } else if (character === ']' && expected === 'value or ]') {
      open.pop()
      at += 1
      expected = 'separator'
    } else if (character === '{' || character === '[') {
      open.push(character)
      at += 1
      expected = character === '{' ? 'key or }' : 'value or ]'
    } else if (character === '"' ? skipString() : skip(SCALAR)) {
      expected = 'separator'
    } else {
      return at
    }
  }
}

/** Where the first byte is that is no UTF-8 (RFC 3629), or undefined. */
export function findForeignByte(bytes: Uint8Array): number | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let good = 0
  let bad = bytes.length
  // Whole at `good`, broken by `bad`: a prefix that ends within a character is not broken yet.
  const isWhole = (end: number) => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end), { stream: true })
      return true
    } catch {
      return false
    }
  }
  try {
    decoder.decode(bytes)
    return undefined
  } catch {
    while (bad - good > 1) {
      const middle = (good + bad) >> 1
      if (isWhole(middle)) good = middle
      else bad = middle
    }
    return good
  }
}
