import fc from 'fast-check'

/** A key that JSON may have and code may not: written out, since a literal's `__proto__` is no key. */
const POLLUTION = JSON.parse(
  '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"prototype":{"polluted":true}}',
) as Record<string, unknown>

/** Operators by which a value would become a condition, a script or an update (CWE-943). */
const OPERATORS: readonly unknown[] = [
  { $gt: '' },
  { $ne: null },
  { $in: [] },
  { $regex: '^(a+)+$' },
  { $where: 'sleep(5000) || true' },
  { $exists: true },
  { $expr: { $function: { body: 'function(){while(1){}}', args: [], lang: 'js' } } },
  { $set: { role: 'admin' } },
  { $oid: '000000000000000000000000' },
  { _bsontype: 'ObjectId', id: 'x' },
  { _bsontype: 'Long', low: 1, high: 1 },
  { $date: 'x' },
  { toString: 'x', valueOf: 'x', toJSON: 'x' },
]

/** What has brought regular expressions to their knees, each at a length where an exponent or a square would show. */
const REDOS: readonly string[] = [
  `${'a'.repeat(5_000)}!`,
  `${' '.repeat(5_000)}x`,
  `${'a@'.repeat(2_500)}a`,
  `${'1-'.repeat(2_500)}x`,
  `+${'0'.repeat(5_000)}`,
  `${'.'.repeat(5_000)}com`,
  `${'a.'.repeat(2_500)}!`,
  `https://${'a.'.repeat(2_000)}`,
  `2026-${'0'.repeat(3_000)}`,
  '(a+)+$',
  '^(([a-z])+.)+[A-Z]([a-z])+$',
  '.*'.repeat(500),
]

/** Texts that mean something to something behind us: logs, headers, spreadsheets, paths, shells, pages, databases. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>',
  '\n{"level":"error","status":500}',
  'a@example.com\r\nBcc: b@example.com',
  '"a\r\nb"@example.com',
  'a@example.com,b@example.com',
  '=HYPERLINK("http://x.example","y")',
  "=cmd|' /C calc'!A0",
  '../../../../etc/passwd',
  '..\\..\\x',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'http://[::1',
  'http://a:b@x.example:99999/',
  'https://xn--a.example',
  "' OR 1=1 --",
  '$where',
  '$gt',
  'a.b',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  '%00',
  '%',
  '%s%n%x',
  '#{7*7}',
  '{{7*7}}',
  '$(id)',
  '\u202Egnp.exe',
  '\uFEFF',
  '\u2028\u2029',
  '\uD800',
  'a\uDFFFb',
  '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}',
  'e\u0301'.repeat(50),
  'Z\u0351'.repeat(300),
  '\uFDFA'.repeat(100),
  'ﬃ',
  'İstanbul',
  'ß'.repeat(100),
  '١٢٣٤٥',
  '+١٤١٥٥٥٥٠١٩٩',
  'NaN',
  'Infinity',
  '-1',
  '1e999',
  '0x10',
  '9007199254740993',
  '-271821-04-20T00:00:00.000Z',
  '+275760-09-13T00:00:00.001Z',
  '0000-00-00',
  '2026-02-30',
  '2026-02-28T24:00:00Z',
  '9999-12-31T23:59:59+23:59',
  '000000000000000000000000',
  'ffffffffffffffffffffffff',
  'null',
  'undefined',
  '[object Object]',
  'true',
  ...REDOS,
]

const HOSTILE_NUMBERS = [
  -1,
  -0,
  0.5,
  1e-320,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  8.64e15,
  8.64e15 + 1,
  1e22,
  1e308,
  Number.MAX_VALUE,
]

/** An object in an object, as deep as a parser lets it. */
function nested(depth: number): unknown {
  return JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)
}

/** A value for any place of a body: of every type, and whatever else a body should not have. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...hostileTexts) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...OPERATORS) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], [{}]) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...HOSTILE_NUMBERS) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.constant(POLLUTION) },
  { weight: 1, arbitrary: fc.constantFrom(20, 2_000).map(nested) },
  { weight: 1, arbitrary: fc.constantFrom(101, 1_001).map(length => Array(length).fill('x')) },
  { weight: 1, arbitrary: fc.constantFrom(1_001, 20_001, 70_000).map(length => 'x'.repeat(length)) },
  {
    weight: 1,
    arbitrary: fc.constant(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, i]))),
  },
)

/** What JSON can send and no text can be made of: `String` of it throws. */
const TEXTLESS = { toString: 1, valueOf: 1, toJSON: 1 }

/**
 * Free-form data by the names of its fields, with the fields inside that our code reads: what nobody made a schema of
 * is read by hand, and a mutation hardly ever hits upon the name.
 */
export const hostileFreeForm: Readonly<Record<string, readonly unknown[]>> = {
  metadata: [
    { projectId: TEXTLESS, name: TEXTLESS, phoneCountryCode: TEXTLESS, visitor: TEXTLESS },
    {
      visitor: {
        firstSeenAt: TEXTLESS,
        lastInteractionAt: TEXTLESS,
        utm: { source: TEXTLESS, campaign: TEXTLESS },
      },
    },
  ],
  payload: [{ projectId: TEXTLESS, microsite: TEXTLESS, at: TEXTLESS }],
}

/** A key to slip in beside those that are declared. */
export const hostileKey: fc.Arbitrary<string> = fc.constantFrom(
  ...['__proto__', 'constructor', 'prototype', '$where', '$set', 'a.b', '', '\0', '_id', '_bsontype'],
  ...['role', 'ownerId', 'userId', 'status', 'createdAt', 'isAdmin', 'toJSON', 'length', 'k'.repeat(5_000)],
)

/** Bodies that are no JSON, or no honest one. */
export const hostileBody: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      ' ',
      '{',
      '[',
      '"',
      '{}',
      '[]',
      'null',
      '0',
      'true',
      '""',
      '{"a":1,}',
      "{'a':1}",
      '{"a":1}{"a":2}',
    ],
    ...[
      '{"phone":"1","phone":{"$gt":""}}',
      'a=1&b=2',
      '<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd">',
    ],
    ...['[{}', '1e999', '-', '\uFEFF{}', '{"__proto__":{"polluted":true}}', '"\\ud800"', '\0'],
  ),
  fc.constantFrom(1_000, 30_000).map(depth => '['.repeat(depth) + ']'.repeat(depth)),
  fc.constantFrom(1_000, 10_000).map(depth => '{"a":'.repeat(depth)),
  fc.constantFrom(65_537, 600_000).map(length => JSON.stringify('x'.repeat(length))),
  fc.constant(JSON.stringify(Array(20_000).fill({}))),
  fc.uint8Array({ maxLength: 40 }),
)

/** Segments as they stand in the path of a request line. */
export const hostileSegments: readonly string[] = [
  '%',
  '%zz',
  '%00',
  'a%00b',
  '%0d%0aSet-Cookie:%20a=b',
  '..',
  '.',
  '%2e%2e',
  '..%2f..%2fetc%2fpasswd',
  '%252e%252e%252f',
  '..%5c..%5cx',
  '%c0%ae%c0%ae',
  '%ed%a0%80',
  '%ff',
  '%e2%80%ae',
  ';x=1',
  '%3f',
  '%23',
  'a%2fb',
  '$where',
  '%7B%22$gt%22%3A%22%22%7D',
  '[$ne]',
  '__proto__',
  'constructor',
  'undefined',
  'null',
  '0',
  '-1',
  '1e999',
  '000000000000000000000000',
  'x'.repeat(12),
  'f'.repeat(25),
  'x'.repeat(6_000),
  `${'a.'.repeat(2_000)}example`,
  '%F0%9F%91%8B',
  '*',
  '@',
  '+14155550199',
  '%20',
]

/** Queries beside those that a schema knows, as they stand in a request line. */
export const hostileQueries: readonly string[] = [
  '__proto__[polluted]=true',
  '__proto__=1&constructor=1&prototype=1',
  'limit[$gt]=0',
  'limit=1&limit=2',
  'limit=1e999&skip=-1',
  'skip=99999999999999999999',
  'cursor=%00',
  'cursor=zzzzzzzzzz.ffffffffffffffffffffffff',
  'cursor=-1.0',
  'search=%24where',
  'search=%ef%b7%ba%ef%b7%ba%ef%b7%ba',
  'startDate=%2B275760-09-13T00:00:00.001Z',
  '%=%',
  '&&&=&=',
  `a=${'x'.repeat(6_000)}`,
  Array.from({ length: 500 }, (_, i) => `k${i}=1`).join('&'),
]

/** Headers as HTTP lets them through: nothing here ends a line, since no server hands that over. */
export const hostileHeaders: readonly (readonly [name: string, value: string])[] = [
  ...[
    'null',
    '*',
    'https://',
    'file://',
    'https://a.example:99999',
    'javascript:alert(1)',
    'https://\xe9',
  ].map(origin => ['origin', origin] as const),
  ['origin', `https://${'a.'.repeat(3_000)}example`],
  ['x-request-id', '<script>alert(1)</script>'],
  ['x-request-id', 'x'.repeat(5_000)],
  ['x-request-id', '\xff\xfe'],
  ['user-agent', '{"level":"error"}\t'],
  ['user-agent', 'x'.repeat(8_000)],
  ['user-agent', '\xff'],
  ['authorization', 'Bearer'],
  ['authorization', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.'],
  ['authorization', `Bearer ${'a.'.repeat(4_000)}`],
  ['authorization', `Basic ${'='.repeat(100)}`],
  ['authorization', 'Bearer llk_\xff'],
  ['x-api-key', 'llk_'],
  ['x-api-key', `llk_${'x'.repeat(6_000)}`],
  ['x-api-key', '{"$gt":""}'],
  ['cookie', '='],
  ['cookie', '__proto__=1; constructor=2; __Host-leadline=%'],
  ['cookie', `a=${'; a='.repeat(2_000)}`],
  ['content-type', 'application/json; charset=utf-7'],
  ['content-type', 'multipart/form-data; boundary='],
  ['content-type', `text/${'+'.repeat(5_000)}json`],
  ['content-type', ';'],
  ['content-encoding', 'gzip'],
  ['content-encoding', 'identity, identity'],
  ['content-length', '99999999999'],
  ['content-length', '-1'],
  ['content-length', 'NaN'],
  ['idempotency-key', ' '],
  ['idempotency-key', 'x'.repeat(256)],
  ['idempotency-key', '$where'],
  ['prefer', 'handling=strict'],
  ['prefer', `${','.repeat(5_000)}handling`],
  ['if-match', '*'],
  ['if-match', '"1",'.repeat(3_000)],
  ['if-none-match', '*'],
  ['if-none-match', '",'.repeat(3_000)],
  ['x-real-ip', '::ffff:1.2.3.4'],
  ['x-real-ip', 'fe80::1%eth0'],
  ['x-real-ip', '1.2.3.4, 5.6.7.8'],
  ['x-real-ip', ':'.repeat(2_000)],
  ['x-forwarded-host', 'evil.example'],
  ['x-forwarded-for', '127.0.0.1'],
  ['x-http-method-override', 'DELETE'],
  ['stripe-signature', 't=1,v1=0'],
  ['stripe-signature', `t=${'1'.repeat(4_000)}`],
  ['access-control-request-headers', 'x'.repeat(4_000)],
  ['accept', '*/*;q=x'],
  ['range', 'bytes=-1'],
]
