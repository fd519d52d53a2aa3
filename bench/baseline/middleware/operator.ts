import { createHash, timingSafeEqual } from 'node:crypto'
import type { RequestHandler } from 'express'
import { ApiError } from '../errors.js'

/** Lets pass who has the deployment's `ADMIN_TOKEN`. */
export const operator: RequestHandler = (request, _response, next) => {
  const [, token = ''] = /^Bearer +(\S+)$/i.exec(request.get('authorization') ?? '') ?? []
  const secret = process.env.ADMIN_TOKEN
  if (secret === undefined || !timingSafeEqual(digest(token), digest(secret)))
    throw new ApiError(401, 'unauthenticated', 'Sign in first.')
  next()
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
