import { randomUUID } from 'node:crypto'
import type { ErrorRequestHandler } from 'express'
import mongoose from 'mongoose'
import { z } from 'zod'
import { ApiError } from '../errors.js'

/** Answers whatever was thrown in the product's envelope. */
export const answerErrors: ErrorRequestHandler = (error, _request, response, _next) => {
  const { status, code, message } = asApiError(error)
  const requestId = randomUUID()
  response.status(status).json({ success: false, code, error: message, message, requestId })
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof z.ZodError) return new ApiError(400, 'invalid_request', z.prettifyError(error))
  if (error instanceof mongoose.Error.ValidationError)
    return new ApiError(400, 'invalid_request', error.message)
  if (isAway(error)) return new ApiError(503, 'unavailable', 'The database cannot be reached.')
  // What Express itself refuses: a body that is no JSON, or too large.
  const { status, expose, message } = error as { status?: number; expose?: boolean; message: string }
  if (expose && status !== undefined) return new ApiError(status, 'invalid_request', message)
  return new ApiError(500, 'internal', 'Something went wrong.')
}

function isAway(error: unknown): boolean {
  if (error instanceof mongoose.Error.MongooseServerSelectionError) return true
  const { MongoError, MongoServerError } = mongoose.mongo
  return error instanceof MongoError && !(error instanceof MongoServerError)
}
