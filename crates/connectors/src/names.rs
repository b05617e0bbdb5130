//! Names that the AWS SDK for Java makes up for services and their exceptions, because state machines match on them:
//! `DynamoDb.DynamoDbException`, `Kms.KmsInvalidStateException`, `S3.BucketAlreadyExistsException`.
//!
//! Version 2 takes every name apart into words and capitalises each; version 1 keeps a shape's name. Both give every
//! exception the suffix `Exception`.

use std::sync::LazyLock;

use regex::Regex;

/// `DynamoDB` is `DynamoDb`, `Lex Runtime Service` is `LexRuntime`.
pub(crate) fn service(service_id: &str) -> String {
    let name = pascal(service_id);
    let name = ["Amazon", "Aws"].iter().find_map(|lead| name.strip_prefix(lead)).unwrap_or(&name);
    name.strip_suffix("Service").unwrap_or(name).to_owned()
}

/// An exception's name in version 2.
pub(crate) fn exception(shape: &str) -> String {
    with_suffix(shape, pascal)
}

/// An exception's name in version 1.
pub(crate) fn plain_exception(shape: &str) -> String {
    with_suffix(shape, str::to_owned)
}

fn with_suffix(shape: &str, spelled: impl Fn(&str) -> String) -> String {
    let stem = shape.strip_suffix("Exception").or_else(|| shape.strip_suffix("Fault")).unwrap_or(shape);
    format!("{}Exception", spelled(stem))
}

fn pascal(name: &str) -> String {
    words(name).iter().map(|word| capitalised(word)).collect()
}

fn capitalised(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The generator's rules, in its order: what is no letter or digit divides; so do a version (`v2`), the hump of a camel,
/// the end of an acronym, and a digit before a letter.
fn words(name: &str) -> Vec<String> {
    static STEPS: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        let rule = |pattern: &str| Regex::new(pattern).expect("a constant pattern");
        [
            (rule("[^A-Za-z0-9]+"), " "),
            (rule("([^a-z]{2,})v([0-9]+)"), "$1 v$2 "),
            (rule("([^A-Z]{2,})V([0-9]+)"), "$1 V$2 "),
            (rule("([A-Z]+)([A-Z][a-z])"), "$1 $2"),
            (rule("([0-9])([a-zA-Z])"), "$1 $2"),
        ]
    });
    let [foreign, version, other_version, acronym, digit] = &*STEPS;
    let mut text = name.to_owned();
    for (rule, by) in [foreign, version, other_version] {
        text = rule.replace_all(&text, *by).into_owned();
    }
    text = humps(&text);
    for (rule, by) in [acronym, digit] {
        text = rule.replace_all(&text, *by).into_owned();
    }
    text.split_whitespace().map(str::to_owned).collect()
}

/// A space between a small letter and a capital that is not the last of its word.
fn humps(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut apart = String::with_capacity(text.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let before = at > 0 && letters[at - 1].is_ascii_lowercase();
        let after = letters.get(at + 1).is_some_and(char::is_ascii_alphanumeric);
        if before && after && letter.is_ascii_uppercase() {
            apart.push(' ');
        }
        apart.push(*letter);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Service ids and the names of version 2's clients.
    const SERVICES: &[(&str, &str)] = &[
        ("ACM PCA", "AcmPca"),
        ("API Gateway", "ApiGateway"),
        ("ApiGatewayV2", "ApiGatewayV2"),
        ("Application Discovery Service", "ApplicationDiscovery"),
        ("Batch", "Batch"),
        ("CloudHSM V2", "CloudHsmV2"),
        ("CloudWatch Logs", "CloudWatchLogs"),
        ("CodeStar connections", "CodeStarConnections"),
        ("Config Service", "Config"),
        ("Cost and Usage Report Service", "CostAndUsageReport"),
        ("Database Migration Service", "DatabaseMigration"),
        ("DocDB", "DocDb"),
        ("DynamoDB", "DynamoDb"),
        ("DynamoDB Streams", "DynamoDbStreams"),
        ("EC2", "Ec2"),
        ("ECR PUBLIC", "EcrPublic"),
        ("EMR Serverless", "EmrServerless"),
        ("Elastic Load Balancing v2", "ElasticLoadBalancingV2"),
        ("ElastiCache", "ElastiCache"),
        ("EventBridge", "EventBridge"),
        ("FSx", "FSx"),
        ("IAM", "Iam"),
        ("IoT", "Iot"),
        ("IoT Data Plane", "IotDataPlane"),
        ("Kinesis Video WebRTC Storage", "KinesisVideoWebRtcStorage"),
        ("KMS", "Kms"),
        ("Lambda", "Lambda"),
        ("Lex Runtime Service", "LexRuntime"),
        ("Lex Models V2", "LexModelsV2"),
        ("MTurk", "MTurk"),
        ("Pinpoint SMS Voice V2", "PinpointSmsVoiceV2"),
        ("RDS", "Rds"),
        ("RDS Data", "RdsData"),
        ("S3", "S3"),
        ("S3 Control", "S3Control"),
        ("SESv2", "SesV2"),
        ("SFN", "Sfn"),
        ("SNS", "Sns"),
        ("SQS", "Sqs"),
        ("SSM", "Ssm"),
        ("SageMaker A2I Runtime", "SageMakerA2IRuntime"),
        ("Secrets Manager", "SecretsManager"),
        ("STS", "Sts"),
        ("WAFV2", "Wafv2"),
        ("b2bi", "B2Bi"),
        ("forecastquery", "Forecastquery"),
        ("mq", "Mq"),
    ];

    #[test]
    fn services_are_called_as_their_java_clients() {
        for (id, name) in SERVICES {
            assert_eq!(service(id), *name, "{id}");
        }
    }

    #[test]
    fn exceptions_end_in_exception() {
        for (shape, two, one) in [
            ("NoSuchKey", "NoSuchKeyException", "NoSuchKeyException"),
            ("NotFoundException", "NotFoundException", "NotFoundException"),
            ("QueueDoesNotExist", "QueueDoesNotExistException", "QueueDoesNotExistException"),
            ("StateMachineDoesNotExist", "StateMachineDoesNotExistException", "StateMachineDoesNotExistException"),
            ("KMSInvalidStateException", "KmsInvalidStateException", "KMSInvalidStateException"),
            ("EC2ThrottledException", "Ec2ThrottledException", "EC2ThrottledException"),
            ("DBClusterNotFoundFault", "DbClusterNotFoundException", "DBClusterNotFoundException"),
        ] {
            assert_eq!((exception(shape).as_str(), plain_exception(shape).as_str()), (two, one));
        }
    }
}
