import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { policies } from '../../lib/rate-limit/policies.js'
import { declaredVerbs, servedRoutes } from '../support/declared-routes.js'

/** Every schema must have a description; what JSON cannot say (dates, transforms) is left open. */
function describeSchema(schema: z.ZodType, io: 'input' | 'output') {
  return z.toJSONSchema(schema, { io, unrepresentable: 'any' })
}

it('finds the routes', () => {
  expect(declaredVerbs.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['POST /api/leads', 'GET /api/leads', 'GET /api/widget-config/:projectId']),
  )
})

it('has each path once', () => {
  const served = servedRoutes.map(({ path }) => path)

  expect(new Set(served).size).toBe(served.length)
})

describe.each(declaredVerbs)('$name', ({ verb, path, declaration }) => {
  it('says what it is for, who may use it and how often', () => {
    expect(declaration.summary).toMatch(/^[A-Z].{10,78}[^.]$/)
    const kinds = ['public', 'anyone', 'user', 'account', 'operator', 'service', 'admin', 'cron']
    expect(kinds).toContain(declaration.access)
    expect(policies).toHaveProperty(declaration.limit)
  })

  it('counts a caller only where there is one, and stays open only to widgets and monitors', () => {
    const policy = policies[declaration.limit]
    const mayBeNobody = ['public', 'anyone'].includes(declaration.access)
    const isOfAccounts = /^\/api\/(auth|users?)(\/|$)/.test(path)

    // What takes a password is counted by address whoever is signed in: it is guessing that is counted.
    const per = declaration.access === 'public' || declaration.limit === 'login' ? 'address' : 'caller'
    if (declaration.access !== 'anyone') expect(policy.per).toBe(per)
    if (policy.whenUnavailable === 'open') expect(mayBeNobody).toBe(true)
    if (declaration.access === 'public') expect(policy.whenUnavailable).toBe(isOfAccounts ? 'closed' : 'open')
  })

  it('names the parameters of its path, and has a body only where HTTP gives it one', () => {
    const names = path.split('/').flatMap(segment => (segment.startsWith(':') ? [segment.slice(1)] : []))
    const params = declaration.params && describeSchema(declaration.params, 'input')

    expect(Object.keys(params?.properties ?? {})).toEqual(names)
    // A password belongs into no URL: the erasure of an account has it in a body.
    const mayHaveBody = !['GET', 'DELETE'].includes(verb) || `${verb} ${path}` === 'DELETE /api/user'
    if (!mayHaveBody) expect(declaration.body).toBeUndefined()
  })

  it('has schemas that other tools can read', () => {
    for (const schema of [declaration.params, declaration.query, declaration.body])
      if (schema) expect(describeSchema(schema, 'input')).toBeTypeOf('object')
    for (const { schema } of Object.values(declaration.responses))
      if (schema) expect(describeSchema(schema, 'output')).toBeTypeOf('object')
  })

  it('says what a success looks like', () => {
    const successes = Object.entries(declaration.responses)

    expect(successes.length).toBeGreaterThan(0)
    for (const [status, { description }] of successes) {
      expect(Number(status)).toBeGreaterThanOrEqual(200)
      expect(Number(status)).toBeLessThan(300)
      expect(description).toMatch(/\S/)
    }
  })
})
