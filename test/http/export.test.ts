import { describe, expect, it } from 'vitest'
import { type Columns, type ExportFormat, exported, successWithLists } from '../../lib/http/export.js'

interface Row {
  text?: string
  count?: number
  at?: Date
}

const columns: Columns<Row> = { text: row => row.text, count: row => row.count, at: row => row.at }

async function* rowsOf(rows: readonly Row[]) {
  yield* rows
}

const file = (format: ExportFormat, rows: readonly Row[]) => {
  const { body, headers } = exported('rows', format, rowsOf(rows), columns)
  return { headers, response: new Response(body as ReadableStream) }
}

/** With its byte order mark, which `text()` would take away. */
const written = async (format: ExportFormat, rows: readonly Row[]) =>
  Buffer.from(await file(format, rows).response.arrayBuffer()).toString('utf8')

/** The first cell of the only row. */
async function cellOf(text: string) {
  const [, cell] = /^\uFEFFtext,count,at\r\n([\s\S]*),,\r\n$/.exec(await written('csv', [{ text }])) ?? []
  return cell
}

describe('a CSV', () => {
  it('has a byte order mark, a heading and a line for each row, as RFC 4180 has it', async () => {
    const rows = [{ text: 'Zoë 👋', count: -5, at: new Date('2026-01-01') }, { text: 'b' }, {}]
    expect(await written('csv', rows)).toBe(
      '\uFEFFtext,count,at\r\nZoë 👋,-5,2026-01-01T00:00:00.000Z\r\nb,,\r\n,,\r\n',
    )
    expect(file('csv', []).headers).toEqual({
      'Content-Type': 'text/csv; charset=utf-8',
      'Content-Disposition': 'attachment; filename="rows.csv"',
    })
  })

  it('has its heading where there are no rows', async () => {
    expect(await written('csv', [])).toBe('\uFEFFtext,count,at\r\n')
  })

  it.each([
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['two\rlines', '"two\rlines"'],
    ['a;b', 'a;b'],
  ])('quotes %j where a reader would misread it', async (text, cell) => {
    expect(await cellOf(text)).toBe(cell)
  })

  it.each(['=1+1', '@SUM(A1)', '-2+3', '+1+cmd', '\t1', '＝1+1', '＠SUM(A1)', '＋1', '－1'])(
    'keeps %j from being run as a formula',
    async text => {
      expect(await cellOf(text)).toBe(`'${text}`)
    },
  )

  it('keeps a formula from being run that is quoted as well', async () => {
    expect(await cellOf('=HYPERLINK("http://x","y")')).toBe(`"'=HYPERLINK(""http://x"",""y"")"`)
  })

  it.each([
    ['Asha;=1+1', "Asha;'=1+1"],
    [';;@SUM(A1)', ";;'@SUM(A1)"],
    ['Asha\t+1', "Asha\t'+1"],
    ['Asha\n=1', `"Asha\n'=1"`],
    ['\r=1', `"'\r'=1"`],
    ['\n＝1', `"'\n'＝1"`],
    // To who splits at the semicolon, the second cell is an empty pair of quotes and what follows.
    ['Asha;"=1+1;', `"Asha;""'=1+1;"`],
    ['Asha\n"@SUM(A1)', `"Asha\n""'@SUM(A1)"`],
  ])('keeps it from being run where %j begins a cell to who reads the file otherwise', async (text, cell) => {
    expect(await cellOf(text)).toBe(cell)
  })

  it.each(['+919876501234', 'a=b', 'x@example.com', '2026-01-01', 'a; - b'])(
    'leaves %j as it is',
    async text => {
      expect(await cellOf(text)).toBe(text)
    },
  )

  it.each(['+919876501234+1', '+1234', `+${'1'.repeat(16)}`])('takes %j for no phone number', async text => {
    expect(await cellOf(text)).toBe(`'${text}`)
  })
})

describe('a JSON file', () => {
  it.each([0, 1, 3])('is an array of %d rows', async count => {
    const rows = Array.from({ length: count }, (_, i) => ({ text: `"${i}"\n` }))
    expect(JSON.parse(await written('json', rows))).toEqual(rows)
    expect(file('json', []).headers['Content-Type']).toBe('application/json; charset=utf-8')
  })
})

describe('an NDJSON file', () => {
  it('is a row a line', async () => {
    const rows = [{ text: 'a\nb' }, { count: 2 }]
    const lines = (await written('ndjson', rows)).split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.map(line => JSON.parse(line))).toEqual(rows)
    expect(await written('ndjson', [])).toBe('')
  })
})

describe('rows that fail on the way', () => {
  it.each<ExportFormat>(['csv', 'json', 'ndjson'])('break a %s off', async format => {
    async function* failing(): AsyncGenerator<Row> {
      yield { text: 'a' }
      throw new Error('away')
    }
    const { body } = exported('rows', format, failing(), columns)
    await expect(new Response(body as ReadableStream).text()).rejects.toThrow()
  })
})

describe('data with lists', () => {
  it('is one JSON document in the envelope, whatever the lists have', async () => {
    const data = { name: 'Asha "}', at: new Date('2026-01-01') }
    const lists = { rows: rowsOf([{ text: '}' }, { count: 1 }]), none: rowsOf([]) }
    const { status, body, headers } = successWithLists(data, lists)
    expect({ status, headers }).toEqual({
      status: 200,
      headers: { 'Content-Type': 'application/json; charset=utf-8' },
    })
    expect(await new Response(body as ReadableStream).json()).toEqual({
      success: true,
      data: {
        name: 'Asha "}',
        at: '2026-01-01T00:00:00.000Z',
        rows: [{ text: '}' }, { count: 1 }],
        none: [],
      },
    })
  })
})
