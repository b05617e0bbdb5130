//! GetFunction, GetFunctionConfiguration and ListFunctions: what the settings say, in AWS's words.

use serde_json::{Value, json};

use super::Lambda;
use super::invoke::Found;
use super::pool::Pool;
use super::settings::Kind;
use crate::caller::Caller;
use crate::error::Answer;

impl Lambda {
    pub(super) fn get(&self, params: &Value, caller: &Caller) -> Answer {
        let Found { pool, arn, .. } = self.find(params, caller)?;
        let location = format!("file://{}", pool.function.folder.display());
        Ok(json!({
            "Configuration": configuration(pool, &arn),
            "Code": { "RepositoryType": "Folder", "Location": location },
        }))
    }

    pub(super) fn get_configuration(&self, params: &Value, caller: &Caller) -> Answer {
        let Found { pool, arn, .. } = self.find(params, caller)?;
        Ok(configuration(pool, &arn))
    }

    pub(super) fn list(&self, caller: &Caller) -> Answer {
        let own = self.pools.values().filter(|_| caller.account == self.account);
        let arn = |pool: &Pool| format!("arn:aws:lambda:{}:{}:function:{}", caller.region, caller.account, pool.name);
        Ok(json!({ "Functions": own.map(|pool| configuration(pool, &arn(pool))).collect::<Vec<_>>() }))
    }
}

fn configuration(pool: &Pool, arn: &str) -> Value {
    let function = &pool.function;
    let launch = function.launch().ok();
    let kind = launch.as_ref().map(|launch| match launch.kind {
        Kind::Python => "python",
        Kind::Node => "nodejs",
        Kind::Provided => "provided",
    });
    json!({
        "FunctionName": pool.name,
        "FunctionArn": arn,
        "Runtime": function.runtime.as_deref().or(kind),
        "Handler": launch.map(|launch| launch.handler),
        "Timeout": function.timeout().as_secs(),
        "MemorySize": function.memory_mb(),
        "Environment": { "Variables": function.environment },
        "Version": "$LATEST",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
    })
}
