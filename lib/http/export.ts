import type { Reply } from './reply.js'

/** The columns of a CSV: their heading, and the cell of a row. */
export type Columns<T> = Readonly<Record<string, (row: T) => string | number | Date | undefined>>

/** A byte order mark: without it Excel reads UTF-8 as something else. */
const BOM = '\uFEFF'

const CONTENT_TYPES = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
}

export type ExportFormat = keyof typeof CONTENT_TYPES

/**
 * Rows as a file that is sent while it is read. A failure on the way breaks the transfer off, which a client
 * notices; a JSON file is then no JSON.
 */
export function exported<T>(
  name: string,
  format: ExportFormat,
  rows: AsyncIterable<T>,
  columns: Columns<T>,
): Reply {
  const lines =
    format === 'csv' ? csvLines(rows, columns) : format === 'json' ? jsonArray(rows) : jsonLines(rows)
  return {
    status: 200,
    body: ReadableStream.from(encoded(lines)),
    headers: {
      'Content-Type': CONTENT_TYPES[format],
      'Content-Disposition': `attachment; filename="${name}.${format}"`,
    },
  }
}

/**
 * Data in the envelope of the account routes, whose last fields are lists that are sent while they are read: there
 * may be more than fits into memory or into an answer that is sent whole.
 */
export function successWithLists(
  data: object,
  lists: Readonly<Record<string, AsyncIterable<unknown>>>,
): Reply {
  return {
    status: 200,
    body: ReadableStream.from(encoded(envelope(data, lists))),
    headers: { 'Content-Type': CONTENT_TYPES.json },
  }
}

async function* envelope(
  data: object,
  lists: Readonly<Record<string, AsyncIterable<unknown>>>,
): AsyncGenerator<string> {
  // Without its last brace, to go on from there.
  yield `{"success":true,"data":${JSON.stringify(data).slice(0, -1)}`
  for (const [name, rows] of Object.entries(lists)) {
    yield `,${JSON.stringify(name)}:`
    yield* jsonArray(rows)
  }
  yield '}}'
}

async function* encoded(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  for await (const line of lines) yield encoder.encode(line)
}

/** CSV as RFC 4180 describes it. Its heading comes with the first row: until that is read it may be another answer. */
async function* csvLines<T>(rows: AsyncIterable<T>, columns: Columns<T>): AsyncGenerator<string> {
  let before = `${BOM}${Object.keys(columns).join(',')}\r\n`
  const cells = Object.values(columns)
  for await (const row of rows) {
    yield `${before}${cells.map(cell => csvCell(cell(row))).join(',')}\r\n`
    before = ''
  }
  if (before !== '') yield before
}

/**
 * Where a spreadsheet may begin to run a text as a formula: at its start, and after what some take for the end of a
 * cell, as Excel takes a semicolon where the comma is decimal; a pair of quotes there is no text of the next cell. Some
 * accept full-width signs too. What begins a formula is looked for first: many quotes would be read again and again.
 */
const FORMULA = /^(?=[\t\r\n])|(?=[=+\-@＝＋－＠])(?<=^|[;\t\r\n]"*)/g

/**
 * A cell. An apostrophe keeps it from being run as a formula (OWASP, CSV injection); numbers and phone numbers need
 * none.
 */
function csvCell(value: string | number | Date | undefined): string {
  if (value === undefined) return ''
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'number' || /^\+\d{5,15}$/.test(value)) return String(value)
  const text = value.replaceAll(FORMULA, "'")
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

async function* jsonArray<T>(rows: AsyncIterable<T>): AsyncGenerator<string> {
  let before = '['
  for await (const row of rows) {
    yield `${before}\n${JSON.stringify(row)}`
    before = ','
  }
  yield before === '[' ? '[]\n' : '\n]\n'
}

async function* jsonLines<T>(rows: AsyncIterable<T>): AsyncGenerator<string> {
  for await (const row of rows) yield `${JSON.stringify(row)}\n`
}
