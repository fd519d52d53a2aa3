const CELL = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y

/**
 * The cells of a line of CSV (RFC 4180), spaces around them aside. A cell cannot contain a line break.
 *
 * @returns undefined for a line whose quotes do not match.
 */
export function cellsOf(line: string): string[] | undefined {
  const cells: string[] = []
  CELL.lastIndex = 0
  for (;;) {
    const [, quoted, bare = '', separator] = CELL.exec(line) ?? []
    if (separator === undefined) return undefined
    cells.push(quoted === undefined ? bare.trim() : quoted.replaceAll('""', '"'))
    if (separator === '') return cells
  }
}
