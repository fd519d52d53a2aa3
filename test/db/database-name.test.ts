import { expect, it } from 'vitest'
import { databaseNameOf } from '../../lib/db/client.js'

it.each([
  ['mongodb://db.example/', 'leadline'],
  ['mongodb+srv://asha:s%2Fcret@cluster.example/prod?retryWrites=true', 'prod'],
  ['mongodb://a.example,b.example/sales%2D2026', 'sales-2026'],
])('%s names %s', (uri, name) => {
  expect(databaseNameOf(uri)).toBe(name)
})

it.each([
  'mongodb://asha:pass@word/secret@db.example',
  'mongodb://asha:pass@word/secret@db.example/prod',
  'mongodb://asha:pass/100%secret@db.example/prod',
])('what follows a slash in a password is no name, and not repeated: %s', uri => {
  expect(() => databaseNameOf(uri)).toThrow(/^The environment is not valid: MONGO_URI is not [a-z ]+$/)
})
