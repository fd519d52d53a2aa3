import { BSON, type Document, Double, Int32, MongoClient, ObjectId } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedDb, startEmbeddedDb } from '../../scripts/embedded-db/index.js'

let server: EmbeddedDb
let client: MongoClient

beforeAll(async () => {
  server = await startEmbeddedDb()
  client = new MongoClient(server.uri, { promoteValues: false })
  await client
    .db('x')
    .collection<Document>('rows')
    .insertOne({
      n: -3,
      half: new Double(2.5),
      text: 'Grüße, 😀 Welt',
      list: [3, 1, 2],
      at: new Date('2024-03-31T23:45:12.345Z'),
      id: new ObjectId('65f000000000000000000001'),
      nothing: null,
    })
})

afterAll(async () => {
  await client.close()
  await server.close()
})

/** What MongoDB's manual says they give, and DocumentDB has given. */
const EXPRESSIONS: [expression: unknown, value: unknown][] = [
  [{ $abs: '$n' }, new Int32(3)],
  [{ $isArray: '$list' }, true],
  [{ $isArray: ['$n'] }, false],
  [{ $sortArray: { input: '$list', sortBy: -1 } }, [3, 2, 1].map(value => new Int32(value))],
  [{ $sortArray: { input: '$nothing', sortBy: 1 } }, null],
  [
    {
      $setIntersection: [
        [1, 2, 2],
        [2, 3],
      ],
    },
    [new Int32(2)],
  ],
  [
    {
      $setIsSubset: [
        [1, 1],
        [2, 1],
      ],
    },
    true,
  ],
  [
    {
      $setIsSubset: [
        [1, 3],
        [2, 1],
      ],
    },
    false,
  ],
  [{ $toLower: 'ÄBC' }, 'Äbc'],
  [{ $toUpper: '$nothing' }, ''],
  [{ $strLenCP: '$text' }, new Int32(13)],
  [{ $substrCP: ['$text', 7, 2] }, '😀 '],
  [{ $substrCP: ['$missing', 0, 5] }, ''],
  [{ $toString: '$half' }, '2.5'],
  [{ $toString: '$id' }, '65f000000000000000000001'],
  [{ $toString: '$at' }, '2024-03-31T23:45:12.345Z'],
  [{ $toString: '$missing' }, null],
  [{ $toDate: '$id' }, new Date('2024-03-12T07:10:56.000Z')],
  [{ $toDate: '2024-01-02' }, new Date('2024-01-02T00:00:00.000Z')],
  [{ $toDate: '2024-01-02T03:04:05+05:30' }, new Date('2024-01-01T21:34:05.000Z')],
  [{ $year: '$at' }, new Int32(2024)],
  [{ $month: { date: '$at', timezone: '+05:30' } }, new Int32(4)],
  [{ $dayOfMonth: '$at' }, new Int32(31)],
  [{ $dayOfWeek: '$at' }, new Int32(1)],
  [{ $hour: { date: '$at', timezone: '-0330' } }, new Int32(20)],
  [{ $year: '$missing' }, null],
  [{ $dateToString: { date: '$at' } }, '2024-03-31T23:45:12.345Z'],
  [
    { $dateToString: { date: '$at', format: '%d.%m.%Y %H:%M:%S.%L %%', timezone: '+05:30' } },
    '01.04.2024 05:15:12.345 %',
  ],
  [{ $dateToString: { date: '$missing', onNull: 'none' } }, 'none'],
  [{ $dateTrunc: { date: '$at', unit: 'minute' } }, new Date('2024-03-31T23:45:00.000Z')],
  [{ $dateTrunc: { date: '$at', unit: 'hour', timezone: '+05:30' } }, new Date('2024-03-31T23:30:00.000Z')],
  [{ $dateTrunc: { date: '$at', unit: 'day', timezone: '+05:30' } }, new Date('2024-03-31T18:30:00.000Z')],
  [{ $dateTrunc: { date: '$at', unit: 'week' } }, new Date('2024-03-31T00:00:00.000Z')],
  [
    { $dateTrunc: { date: '$at', unit: 'week', startOfWeek: 'monday' } },
    new Date('2024-03-25T00:00:00.000Z'),
  ],
  [{ $dateTrunc: { date: '$at', unit: 'month' } }, new Date('2024-03-01T00:00:00.000Z')],
  [{ $dateTrunc: { date: '$at', unit: 'year' } }, new Date('2024-01-01T00:00:00.000Z')],
]

const evaluate = async (expression: unknown) => {
  const [result] = await client
    .db('x')
    .collection('rows')
    .aggregate([{ $replaceWith: { value: expression } }])
    .toArray()
  return (result as { value: unknown }).value
}

describe('expressions', () => {
  it.each(
    EXPRESSIONS.map(([expression, value]) => ({ name: JSON.stringify(expression), expression, value })),
  )('$name', async ({ expression, value }) => {
    const typed = (one: unknown) => BSON.EJSON.stringify({ one }, { relaxed: false })
    expect(typed(await evaluate(expression))).toBe(typed(value))
  })

  it.each([
    [{ $dateTrunc: { date: '$at', unit: 'day', timezone: 'Asia/Kolkata' } }, "time zone 'Asia/Kolkata'"],
    [{ $dateToString: { date: '$at', format: '%Q' } }, 'specifier %Q'],
    [{ $pow: [2, 3] }, '$pow'],
    [{ $dateDiff: { startDate: '$at', endDate: '$at', unit: 'day' } }, '$dateDiff'],
  ])('refuses %o by name', async (expression, named) => {
    await expect(evaluate(expression)).rejects.toMatchObject({
      codeName: 'NotImplemented',
      message: expect.stringContaining(named),
    })
  })
})
